/** What a job spent its time on. */
import type { JobDetail } from '../../../src/contract/schemas.js';
import { isTerminal } from '../../../src/contract/status.js';
import { durationText } from '../parts/durations.js';
import { exactTime, useNow } from '../parts/time.js';

interface Span {
  readonly word: string;
  readonly from: string;
  /** Null: it is in this state now. */
  readonly to: string | null;
  readonly kind: 'waiting' | 'queued' | 'running';
}

export function Timeline({ job }: { job: JobDetail }) {
  const now = Math.max(useNow(), Date.now());
  const spans = spansOf(job);
  const ms = (span: Span) => Math.max(0, (span.to === null ? now : Date.parse(span.to)) - Date.parse(span.from));
  const total = spans.reduce((sum, span) => sum + ms(span), 0);
  return (
    <figure className="timeline" aria-label="timeline">
      <div className="timeline-bar" aria-hidden="true">
        {spans.map((span) => (
          <span
            key={span.word}
            className={`timeline-${span.kind}`}
            style={{ flexGrow: Math.max(ms(span), total / 200) }}
          />
        ))}
      </div>
      <figcaption>
        {spans.map((span) => (
          <span key={span.word} title={`${exactTime(span.from)} – ${span.to === null ? 'now' : exactTime(span.to)}`}>
            <span className={`dot timeline-${span.kind}`} aria-hidden="true" />
            {span.word} <strong>{durationText(ms(span))}</strong>
          </span>
        ))}
        {job.finished_at !== null && <span className="dim">ended {exactTime(job.finished_at)}</span>}
      </figcaption>
    </figure>
  );
}

/** A job may skip a state; each span ends where the next known one begins. */
export function spansOf(
  job: Pick<JobDetail, 'status' | 'created_at' | 'queued_at' | 'running_at' | 'finished_at'>,
): Span[] {
  const marks = [
    { word: 'waited', kind: 'waiting', from: job.created_at },
    { word: 'queued', kind: 'queued', from: job.queued_at },
    { word: isTerminal(job.status) ? 'ran' : 'running', kind: 'running', from: job.running_at },
  ] as const;
  const known = marks.flatMap((mark) => (mark.from === null ? [] : [{ ...mark, from: mark.from }]));
  return known.map((mark, index) => ({ ...mark, to: known[index + 1]?.from ?? job.finished_at }));
}
