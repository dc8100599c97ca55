/** Jobs, in a batch or not, the newest of each lineage first. */
import { EmptyState, Skeleton, Table, Title } from '@mantine/core';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { JobSummary } from '../../../src/contract/schemas.js';
import { call } from '../api/call.js';
import { useSearchedList } from '../api/use-searched-list.js';
import { durationText, elapsed } from '../parts/durations.js';
import { OlderButton } from '../parts/older-button.js';
import { SearchBox } from '../parts/search-box.js';
import { StatusBadge } from '../parts/status.js';
import { Command, Failed, shortCommit, shortId } from '../parts/text.js';
import { Ago } from '../parts/time.js';
import { useListKeys } from '../parts/use-list-keys.js';

const route = getRouteApi('/app/jobs');
const PAGE = 100;

export default function JobsPage() {
  const { q = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const {
    list,
    search,
    items: jobs,
  } = useSearchedList('listJobs', q, (asked, { inputs }) =>
    call('listJobs', { ...asked, ...(inputs !== null && { input_key: inputs, latest_only: false }), limit: PAGE }),
  );
  const { box, active } = useListKeys(
    jobs.map((job) => job.job_id),
    (jobId) => void navigate({ to: '/jobs/$jobId', params: { jobId } }),
  );
  const problems = search.text === '' ? search.problems : [...search.problems, 'jobs are searched by terms only'];
  return (
    <>
      <div className="page-head">
        <Title order={1}>Jobs</Title>
      </div>
      <SearchBox
        ref={box}
        q={q}
        problems={problems}
        onChange={(next) => void navigate({ search: next === '' ? {} : { q: next }, replace: true })}
      />
      {list.error !== null && <Failed error={list.error} what="The list" />}
      {list.isPending && list.error === null && <Skeleton height={300} />}
      {list.isSuccess && jobs.length === 0 && (
        <EmptyState
          title={q === '' ? 'No job yet' : 'No job matches'}
          description={
            q === '' ? 'Run a method of an app once:' : 'Take a term out of the search, or look without a filter.'
          }
        >
          {q === '' && <Command>reprise run module.method --param name=value</Command>}
        </EmptyState>
      )}
      {jobs.length > 0 && (
        <Table className="jobs-table" aria-label="jobs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>State</Table.Th>
              <Table.Th>Job</Table.Th>
              <Table.Th className="cell-wide">Batch</Table.Th>
              <Table.Th className="cell-wide">By</Table.Th>
              <Table.Th className="cell-wide">Last error</Table.Th>
              <Table.Th>Submitted</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {jobs.map((job) => (
              <JobRow key={job.job_id} job={job} active={job.job_id === active} />
            ))}
          </Table.Tbody>
        </Table>
      )}
      <OlderButton list={list} what="jobs" />
    </>
  );
}

function JobRow({ job, active }: { job: JobSummary; active: boolean }) {
  const took = elapsed(job.running_at, job.finished_at, Date.now());
  return (
    <Table.Tr className={active ? 'row-active' : ''} aria-current={active || undefined}>
      <Table.Td>
        <StatusBadge status={job.status} />
      </Table.Td>
      <Table.Td>
        <Link to="/jobs/$jobId" params={{ jobId: job.job_id }} title={job.job_id}>
          {job.method}
        </Link>{' '}
        <code className="dim" title={job.commit}>
          @{shortCommit(job.commit)}
        </code>
        {job.retry_number > 0 && (
          <>
            {' '}
            <span className="class-tag">retry {job.retry_number}</span>
          </>
        )}
      </Table.Td>
      <Table.Td className="cell-wide">
        {job.batch_id !== null && (
          <Link to="/batches/$batchId" params={{ batchId: job.batch_id }} title={job.batch_id}>
            {shortId(job.batch_id)}
          </Link>
        )}
      </Table.Td>
      <Table.Td className="cell-wide">{job.user}</Table.Td>
      <Table.Td className="cell-wide cell-error" title={job.failure?.message ?? ''}>
        {job.failure?.message}
      </Table.Td>
      <Table.Td>
        <Ago at={job.created_at} />
        {took !== null && <span className="dim"> · {durationText(took)}</span>}
      </Table.Td>
    </Table.Tr>
  );
}
