/** The answers to a retry, item by item; what was refused first. */
import { Button, Group, Text } from '@mantine/core';
import { useState } from 'react';
import type { Receipt, RetryResult } from '../../../src/contract/schemas.js';
import { type Col, DataTable, type Sorting } from '../parts/data-table.js';
import { QuickLink } from '../parts/quick-link.js';
import { saveText } from '../parts/save.js';
import { number } from '../parts/states.js';
import { receiptsCsv } from './receipts-csv.js';

const COLS: readonly Col<Receipt>[] = [
  { id: 'index', head: '#', width: '4rem', align: 'end', by: (row) => row.index, cell: (row) => row.index + 1 },
  { id: 'verdict', head: 'Verdict', width: '11rem', by: (row) => row.code, cell: (row) => <Verdict row={row} /> },
  {
    id: 'asked',
    head: 'Asked for',
    width: '10rem',
    wide: true,
    by: (row) => row.requested_id,
    cell: (row) => <JobLink id={row.requested_id} />,
  },
  { id: 'why', head: 'Now', width: 'auto', cell: (row) => <Now row={row} /> },
];

export function Receipts({ result }: { result: RetryResult }) {
  const [sorting, setSorting] = useState<Sorting>({ id: 'verdict', desc: false });
  return (
    <>
      <Group justify="space-between" mb="sm">
        <Text role="status">
          <strong>{number(result.accepted)}</strong> accepted, <strong>{number(result.refused)}</strong> refused
          {result.reason !== null && <> · reason: {result.reason}</>}
        </Text>
        <Button
          size="compact-sm"
          variant="default"
          onClick={() =>
            saveText(`receipts-${result.request_id ?? 'plan'}.csv`, 'text/csv', receiptsCsv(result.receipts))
          }
        >
          Export CSV
        </Button>
      </Group>
      <DataTable
        short
        label="receipts"
        rows={result.receipts}
        cols={COLS}
        idOf={idOf}
        nameOf={(row) => row.requested_id}
        sorting={sorting}
        onSorting={setSorting}
        empty="Nothing was asked for."
      />
    </>
  );
}

const idOf = (row: Receipt) => String(row.index);

function Verdict({ row }: { row: Receipt }) {
  return row.accepted ? <span className="status status-completed">accepted</span> : <code>{row.code}</code>;
}

function JobLink({ id }: { id: string }) {
  return (
    <QuickLink href={`/jobs/${encodeURIComponent(id)}`} title={id}>
      <code>…{id.slice(-8)}</code>
    </QuickLink>
  );
}

function Now({ row }: { row: Receipt }) {
  if (row.retry_id !== null) {
    return (
      <>
        retry {row.retry_number}: <JobLink id={row.retry_id} />
      </>
    );
  }
  return (
    <span title={row.message ?? ''}>
      {row.blocking_id !== null && (
        <>
          {row.code === 'IN_FLIGHT' ? 'already in flight: ' : 'see '}
          <JobLink id={row.blocking_id} />{' '}
        </>
      )}
      {row.message}
    </span>
  );
}
