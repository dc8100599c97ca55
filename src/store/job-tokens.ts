/** Sealed tokens of unfinished jobs. The statements that end a job (lifecycle.ts) take its token with it. */
import { type Queryable, statement } from './db.js';

const insertJobTokens = statement(
  'insert_job_tokens',
  `
  insert into job_tokens (job_id, sealed)
  select job_id, $2::bytea
  from unnest($1::text[]) as t (job_id)`,
);

export async function keepJobTokens(tx: Queryable, jobIds: readonly string[], sealed: Uint8Array): Promise<void> {
  if (jobIds.length > 0) await tx.query(insertJobTokens, [jobIds, sealed]);
}

const selectJobToken = statement<{ sealed: Uint8Array }>(
  'select_job_token',
  `
  select sealed
  from job_tokens
  where job_id = $1::text`,
);

export async function findJobToken(db: Queryable, jobId: string): Promise<Uint8Array | null> {
  return (await db.query(selectJobToken, [jobId]))[0]?.sealed ?? null;
}
