/** The lineage as a line of attempts, newest first; each says what differs from the one before. */
import { Link } from '@tanstack/react-router';
import type { JobSummary } from '../../../src/contract/schemas.js';
import { durationText, elapsed } from '../parts/durations.js';
import { StatusBadge } from '../parts/status.js';
import { shortCommit } from '../parts/text.js';
import { Ago } from '../parts/time.js';

export function Attempts({ jobs, current }: { jobs: readonly JobSummary[]; current: string }) {
  return (
    <nav className="attempts" aria-label="attempts, newest first">
      <h2>
        {jobs.length} {jobs.length === 1 ? 'attempt' : 'attempts'}
      </h2>
      <ol reversed>
        {jobs.toReversed().map((job) => (
          <li key={job.job_id} className={job.job_id === current ? 'attempt attempt-current' : 'attempt'}>
            <Attempt job={job} before={jobs[job.retry_number - 1]} current={job.job_id === current} />
          </li>
        ))}
      </ol>
    </nav>
  );
}

function Attempt({ job, before, current }: { job: JobSummary; before: JobSummary | undefined; current: boolean }) {
  const took = elapsed(job.running_at, job.finished_at, Date.now());
  const changed = before === undefined ? [] : differences(before, job);
  return (
    <>
      <div className="attempt-line">
        <Link to="/jobs/$jobId" params={{ jobId: job.job_id }} aria-current={current ? 'page' : undefined}>
          {job.retry_number === 0 ? 'First attempt' : `Retry ${job.retry_number}`}
        </Link>
        <StatusBadge status={job.status} />
      </div>
      <div className="dim">
        {job.user} · <Ago at={job.created_at} /> · <code title={job.commit}>{shortCommit(job.commit)}</code>
        {took !== null && ` · ${durationText(took)}`}
      </div>
      {job.retry_reason !== null && <div className="attempt-reason">“{job.retry_reason}”</div>}
      {changed.map((line) => (
        <div key={line} className="attempt-changed">
          {line}
        </div>
      ))}
      {job.failure?.message != null && (
        <div className="attempt-error" title={job.failure.message}>
          {job.failure.message}
        </div>
      )}
    </>
  );
}

/** A retry has the inputs, version and requirements of the one before unless it says so here. */
export function differences(before: JobSummary, after: JobSummary): string[] {
  const parts = [
    ['version', shortCommit(before.commit), shortCommit(after.commit)],
    ['cpus', before.requirements.cpus, after.requirements.cpus],
    ['memory', `${before.requirements.memory_mb} MB`, `${after.requirements.memory_mb} MB`],
    ['disk', `${before.requirements.disk_gb ?? 'no'} GB`, `${after.requirements.disk_gb ?? 'no'} GB`],
    ['client group', before.requirements.client_group ?? 'none', after.requirements.client_group ?? 'none'],
    ['inputs', before.input_key.slice(0, 8), after.input_key.slice(0, 8)],
  ] as const;
  return parts.filter(([, from, to]) => from !== to).map(([name, from, to]) => `${name} ${from} → ${to}`);
}
