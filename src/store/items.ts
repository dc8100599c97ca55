/** The jobs of a batch as short rows: what a page needs to show ten thousand of them. */
import type { FailureClass, Status } from '../contract/status.js';
import { type Queryable, statement } from './db.js';

export interface ItemRow {
  readonly job_id: string;
  readonly root_id: string;
  readonly retry_number: number;
  readonly superseded: boolean;
  readonly status: Status;
  readonly method: string;
  readonly app_commit: string;
  readonly params_start: string | null;
  readonly failure_class: FailureClass | null;
  readonly error_start: string | null;
  readonly created_at: Date;
  readonly running_at: Date | null;
  readonly finished_at: Date | null;
}

const selectItemsPage = statement<ItemRow>(
  'select_items_page',
  `
  select
    j.job_id, j.root_id, j.retry_number, j.superseded_by is not null as superseded, j.status, j.method, j.app_commit,
    left(i.params, 120) as params_start, j.failure_class, left(j.errormsg, 200) as error_start, j.created_at,
    j.running_at, j.finished_at
  from jobs j
  join inputs i on i.input_id = j.input_id
  where j.batch_id = $1::text and j.abandoned_at is null
    and ($2::text[] is null or j.status = any($2))
    and (not $3::boolean or j.superseded_by is null)
    and ($4::text is null or j.job_id > $4)
  order by j.job_id
  limit $5::integer`,
);

export interface ItemsPageFilter {
  readonly batchId: string;
  readonly states: readonly Status[] | null;
  readonly headsOnly: boolean;
  readonly after: string | null;
  readonly limit: number;
}

/**
 * Oldest first. Read page by page no item is missed: one that is retried meanwhile gets a greater id and comes again.
 */
export function findItemsPage(db: Queryable, f: ItemsPageFilter): Promise<ItemRow[]> {
  return db.query(selectItemsPage, [f.batchId, f.states, f.headsOnly, f.after, f.limit]);
}
