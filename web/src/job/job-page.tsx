/** One job within its lineage: what went in, what came out, what it said, and every attempt before and after. */
import { Alert, Button, Group, Skeleton, Tabs, Title } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { RawJson } from '../../../src/contract/raw-json.js';
import type { EventView, JobDetail, JobSummary } from '../../../src/contract/schemas.js';
import { isRetryable, isTerminal } from '../../../src/contract/status.js';
import { useLive } from '../api/live.js';
import { useMe, useRead } from '../api/queries.js';
import { CancelDialog } from '../batch/cancel-dialog.js';
import { RetryDialog } from '../batch/retry-dialog.js';
import { StatusBadge } from '../parts/status.js';
import { CopyIcon, Facts, Failed, shortCommit, shortId } from '../parts/text.js';
import { Ago } from '../parts/time.js';
import { useKeys } from '../parts/use-keys.js';
import { Attempts } from './attempts.js';
import { Dispatches } from './dispatches.js';
import { JsonPanel } from './json-panel.js';
import { LogView } from './log-view.js';
import { Timeline } from './timeline.js';

const route = getRouteApi('/app/jobs/$jobId');

const TABS = ['logs', 'inputs', 'output', 'dispatches'] as const;

export default function JobPage() {
  const { jobId } = route.useParams();
  const job = useRead('getJob', { job_id: jobId });
  const lineage = useRead('getLineage', { job_id: jobId });
  const me = useMe();
  const scope = job.data === undefined ? null : scopeOf(job.data, me.data?.user);
  const queries = useQueryClient();
  const reread = () =>
    queries.invalidateQueries({ predicate: ({ queryKey: [name] }) => name === 'getJob' || name === 'getLineage' });
  useLive(scope, {
    onStart: reread,
    onEvents: (events) => {
      if (lineage.data !== undefined && events.some((event) => concerns(event, lineage.data.jobs))) void reread();
    },
  });
  if (job.error !== null && job.data === undefined) return <Failed error={job.error} what="The job" />;
  if (job.data === undefined) return <Skeleton height={400} />;
  return <Job key={jobId} job={job.data} jobs={lineage.data?.jobs ?? []} onDone={() => void reread()} />;
}

/** The widest scope that one may read and that has the job's lineage in it. */
function scopeOf(job: JobDetail, me: string | undefined) {
  if (job.batch_id !== null) return { batch_id: job.batch_id };
  return job.user === me ? {} : { job_id: job.job_id };
}

function concerns(event: EventView, jobs: readonly JobSummary[]): boolean {
  if (event.job_id === null) return false;
  if (jobs.some((job) => job.job_id === event.job_id)) return true;
  const { root_id: root } = (event.payload as RawJson).parse() as { root_id?: string };
  return root !== undefined && root === jobs[0]?.root_id;
}

function Job({ job, jobs, onDone }: { job: JobDetail; jobs: readonly JobSummary[]; onDone: () => void }) {
  const { tab = 'logs' } = route.useSearch();
  const navigate = route.useNavigate();
  const [dialog, setDialog] = useState<'retry' | 'cancel' | null>(null);
  const retryable = isRetryable(job.status);
  useKeys([['shift+R', () => retryable && setDialog('retry')]]);
  return (
    <>
      <JobHead job={job}>
        {!isTerminal(job.status) && (
          <Button variant="default" onClick={() => setDialog('cancel')}>
            Cancel
          </Button>
        )}
        <Button disabled={!retryable} title={retryable ? undefined : whyNot(job)} onClick={() => setDialog('retry')}>
          Retry this job
        </Button>
      </JobHead>
      <Outcome job={job} />
      <div className="job-columns">
        <Attempts jobs={jobs} current={job.job_id} />
        <div className="job-main">
          <Timeline job={job} />
          <Tabs
            value={tab}
            onChange={(next) =>
              void navigate({
                search: next === 'logs' ? {} : { tab: next as Exclude<(typeof TABS)[number], 'logs'> },
                replace: true,
              })
            }
            keepMounted={false}
          >
            <Tabs.List aria-label="parts of the job">
              {TABS.map((name) => (
                <Tabs.Tab key={name} value={name}>
                  {name}
                </Tabs.Tab>
              ))}
            </Tabs.List>
            <Tabs.Panel value="logs">
              <LogView jobId={job.job_id} ended={isTerminal(job.status)} />
            </Tabs.Panel>
            <Tabs.Panel value="inputs">
              <JsonPanel json={job.params} name="inputs" empty="This job was submitted without parameters." />
            </Tabs.Panel>
            <Tabs.Panel value="output">
              <JsonPanel
                json={job.output}
                name="output"
                empty={isTerminal(job.status) ? 'This job left no output.' : 'There is no output yet.'}
              />
            </Tabs.Panel>
            <Tabs.Panel value="dispatches">
              <Dispatches job={job} />
            </Tabs.Panel>
          </Tabs>
        </div>
      </div>
      {dialog === 'retry' && (
        <RetryDialog
          what={{ kind: 'ids', ids: [job.job_id], label: 'job' }}
          onClose={() => setDialog(null)}
          onDone={onDone}
        />
      )}
      {dialog === 'cancel' && (
        <CancelDialog what={{ kind: 'ids', ids: [job.job_id] }} onClose={() => setDialog(null)} onDone={onDone} />
      )}
    </>
  );
}

const whyNot = (job: JobDetail) =>
  job.status === 'completed'
    ? 'it has completed: there is nothing to retry'
    : 'it has not ended yet; wait or cancel it';

function JobHead({ job, children }: { job: JobDetail; children: React.ReactNode }) {
  const { requirements: r } = job;
  return (
    <header className="page-head">
      <Group justify="space-between" align="flex-start">
        <Group gap="sm" align="baseline">
          <Title order={1}>{job.method}</Title>
          <StatusBadge status={job.status} />
          <span className="dim">{job.retry_number === 0 ? 'first attempt' : `retry ${job.retry_number}`}</span>
        </Group>
        <Group gap="xs">{children}</Group>
      </Group>
      <Facts
        facts={[
          [
            'id',
            <Group key="id" gap={2} component="span">
              <code>{job.job_id}</code>
              <CopyIcon value={job.job_id} what="the job id" />
            </Group>,
          ],
          [
            'batch',
            job.batch_id === null ? (
              'none'
            ) : (
              <Link key="batch" to="/batches/$batchId" params={{ batchId: job.batch_id }}>
                {shortId(job.batch_id)}
              </Link>
            ),
          ],
          ['by', job.user],
          [
            'version',
            <code
              key="version"
              title={job.commit}
            >{`${shortCommit(job.commit)}${job.tag === null ? '' : ` (${job.tag})`}`}</code>,
          ],
          [
            'gets',
            `${r.cpus} cpu · ${r.memory_mb} MB${r.disk_gb === null ? '' : ` · ${r.disk_gb} GB disk`}${r.client_group === null ? '' : ` · ${r.client_group}`}`,
          ],
          ['submitted', <Ago key="at" at={job.created_at} />],
          [
            'same inputs',
            <Link key="inputs" to="/jobs" search={{ q: `inputs:${job.input_key}` }}>
              where else they ran
            </Link>,
          ],
        ]}
      />
    </header>
  );
}

function Outcome({ job }: { job: JobDetail }) {
  return (
    <>
      {job.superseded_by !== null && (
        <Alert color="gray" p="xs" mb="sm">
          A newer attempt took the place of this job.{' '}
          <Link to="/jobs/$jobId" params={{ jobId: job.head_id }}>
            See the newest
          </Link>
        </Alert>
      )}
      {job.failure !== null && (
        <Alert color="red" mb="sm" title={`Failed: ${job.failure.failure_class ?? 'unknown'}${exitText(job)}`}>
          <span className="message">{job.failure.message}</span>
        </Alert>
      )}
      {job.wait_reason !== null && !isTerminal(job.status) && (
        <Alert color="yellow" p="xs" mb="sm">
          Waiting: {job.wait_reason}
        </Alert>
      )}
    </>
  );
}

function exitText({ failure }: JobDetail): string {
  if (failure?.exit_signal != null) return `, ended by signal ${failure.exit_signal}`;
  return failure?.exit_code == null ? '' : `, exit code ${failure.exit_code}`;
}
