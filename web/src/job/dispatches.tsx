/** Hand-overs of the job to a scheduler: usually one. */
import { Table, Text } from '@mantine/core';
import type { JobDetail } from '../../../src/contract/schemas.js';
import { Ago } from '../parts/time.js';

export function Dispatches({ job }: { job: JobDetail }) {
  if (job.dispatches.length === 0) {
    return <Text py="md">This job was not handed to a scheduler{job.status === 'created' ? ' yet' : ''}.</Text>;
  }
  return (
    <Table.ScrollContainer minWidth={640}>
      <Table>
        <Table.Thead>
          <Table.Tr>
            {['#', 'Scheduler', 'Its id', 'Opened', 'Started', 'Closed', 'Peak memory', 'CPU', 'Late lines'].map(
              (head) => (
                <Table.Th key={head}>{head}</Table.Th>
              ),
            )}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {job.dispatches.map((one) => (
            <Table.Tr key={one.dispatch_id}>
              <Table.Td title={one.dispatch_id}>{one.dispatch_number}</Table.Td>
              <Table.Td>
                {one.scheduler}
                {one.scheduler_host !== null && ` on ${one.scheduler_host}`}
              </Table.Td>
              <Table.Td>
                <code>{one.scheduler_id ?? '–'}</code>
              </Table.Td>
              <Table.Td>
                <Ago at={one.opened_at} />
              </Table.Td>
              <Table.Td>{one.started_at === null ? '–' : <Ago at={one.started_at} />}</Table.Td>
              <Table.Td>
                {one.closed_at === null ? '–' : <Ago at={one.closed_at} />} {one.close_reason}
              </Table.Td>
              <Table.Td>{one.peak_memory_mb === null ? '–' : `${one.peak_memory_mb.toFixed(0)} MB`}</Table.Td>
              <Table.Td>{one.cpu_seconds === null ? '–' : `${one.cpu_seconds.toFixed(1)} s`}</Table.Td>
              <Table.Td>{one.late_lines}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
