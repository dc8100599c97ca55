/**
 * Checks every invariant over a whole record, a window at a time: a step is short whatever the size of the record, and a
 * record in use may be looked at. The schema holds most of them already; this finds what a damaged disk, a restored backup
 * or a hand that wrote SQL has done.
 *
 * | what is found     | what `repair` does                                                        |
 * | ----------------- | ------------------------------------------------------------------------- |
 * | lineage-link      | the job names the next one of its lineage                                 |
 * | queued-dispatch   | the job waits again                                                       |
 * | running-dispatch  | the job ends as lost: error, platform                                     |
 * | started-status    | the job runs                                                              |
 * | job-token         | the token is removed                                                      |
 * | log-lines         | if no line is missing, the count is made that of the lines                |
 * | input-identity    | if only the key is wrong, it is computed again                            |
 * | anything else     | nothing: what was true can not be known from what is there                |
 *
 * Every mending writes an event, and looks again: what still does not hold is not mended.
 */
import { RepriseError } from '../contract/errors.js';
import type { Examination } from '../contract/schemas.js';
import { describeInputs } from '../engine/inputs.js';
import { lostFinish } from '../engine/worker-reports.js';
import type { Db, Queryable } from '../store/db.js';
import {
  type Area,
  type Check,
  findFlaws,
  findInputsBetween,
  findMissingGuards,
  nextWindow,
  SCHEMA_RULE,
} from '../store/doctor.js';
import { BATCH_CHECKS, LOG_CHECKS, REQUEST_CHECKS } from '../store/doctor-books.js';
import { JOB_CHECKS } from '../store/doctor-jobs.js';
import { LINEAGE_CHECKS } from '../store/doctor-lineages.js';
import { isDirectRepair, repairDirectly, repairInputKeys } from '../store/doctor-repair.js';
import { finishJobs, requeueJobs, startJobs } from '../store/lifecycle.js';

interface Finding {
  readonly check: string;
  readonly id: string;
  readonly detail: string;
  readonly mended: boolean;
}

export interface Examined {
  readonly area: string;
  /** How many ids were looked at. */
  readonly looked: number;
  readonly findings: readonly Finding[];
  /** Where to go on; null: the whole record was looked at. */
  readonly next: string | null;
}

const INPUT_RULE = 'inputs are what their id and key were computed from';
const WINDOW = 2_000;
/** Their contents travel, and may be large. */
const INPUT_WINDOW = 200;

const AREAS: readonly { readonly area: Area; readonly checks: readonly Check[] }[] = [
  { area: 'jobs', checks: [...LINEAGE_CHECKS, ...JOB_CHECKS] },
  { area: 'logs', checks: LOG_CHECKS },
  { area: 'batches', checks: BATCH_CHECKS },
  { area: 'requests', checks: REQUEST_CHECKS },
  { area: 'inputs', checks: [] },
];

/** All rules, by name. */
export const RULES: ReadonlyMap<string, string> = new Map([
  ['schema', SCHEMA_RULE],
  ...AREAS.flatMap(({ checks }) => checks.map(({ name, rule }) => [name, rule] as const)),
  ['input-identity', INPUT_RULE],
]);

/** One step from `cursor`; null begins. */
export async function examine(db: Db, cursor: string | null, repair: boolean): Promise<Examined> {
  if (cursor === null) return examineSchema(db);
  const { at, after } = readCursor(cursor);
  const { area, checks } = AREAS[at] as (typeof AREAS)[number];
  const { upto, looked } = await nextWindow(db, area, after, area === 'inputs' ? INPUT_WINDOW : WINDOW);
  if (upto === null) return { area, looked: 0, findings: [], next: at + 1 < AREAS.length ? `${at + 1}:` : null };
  const findings: Finding[] = [];
  for (const check of checks) findings.push(...(await examineWindow(db, check, after, upto, repair)));
  if (area === 'inputs') findings.push(...(await examineInputs(db, after, upto, repair)));
  return { area, looked, findings, next: `${at}:${upto}` };
}

function readCursor(cursor: string): { at: number; after: string } {
  const parts = /^(\d):([0-9a-zA-Z-]*)$/.exec(cursor);
  const at = Number(parts?.[1]);
  if (parts === null || at >= AREAS.length) {
    throw new RepriseError('INVALID_INPUT', `'${cursor}' is not a cursor; pass next_cursor of the step before`);
  }
  return { at, after: parts[2] ?? '' };
}

async function examineSchema(db: Db): Promise<Examined> {
  const missing = await findMissingGuards(db);
  const findings = missing.map((row) => ({ check: 'schema', ...row, mended: false }));
  return { area: 'schema', looked: 1, findings, next: '0:' };
}

async function examineWindow(db: Db, check: Check, after: string, upto: string, repair: boolean): Promise<Finding[]> {
  const flaws = await findFlaws(db, check, after, upto);
  if (flaws.length === 0) return [];
  const ids = [...new Set(flaws.map((flaw) => flaw.id))];
  if (repair) await db.transaction((tx) => mend(tx, check.name, ids));
  const left = repair ? new Set((await findFlaws(db, check, after, upto)).map((flaw) => flaw.id)) : new Set(ids);
  return flaws.map((flaw) => ({ check: check.name, ...flaw, mended: !left.has(flaw.id) }));
}

async function mend(tx: Queryable, name: string, ids: readonly string[]): Promise<void> {
  if (isDirectRepair(name)) await repairDirectly(tx, name, ids);
  else if (name === 'queued-dispatch') await requeueJobs(tx, ids);
  else if (name === 'running-dispatch') {
    await finishJobs(
      tx,
      ids.map((id) => lostFinish(id)),
    );
  } else if (name === 'started-status') {
    await startJobs(
      tx,
      ids.map((id) => ({ job_id: id, host: null, estimating: false, actor: null })),
    );
  }
}

async function examineInputs(db: Db, after: string, upto: string, repair: boolean): Promise<Finding[]> {
  const rows = await findInputsBetween(db, after, upto);
  const wrong = rows.flatMap((row): { id: string; detail: string; key: string | null }[] => {
    const sources = JSON.parse(row.source_objects) as string[];
    const told = describeInputs(row.method, row.app_commit, row.params, sources);
    if (told.input_id !== row.input_id) return [{ id: row.input_id, detail: 'the contents are others', key: null }];
    return told.input_key === row.input_key
      ? []
      : [{ id: row.input_id, detail: 'the key is another', key: told.input_key }];
  });
  const rekeyed = wrong.flatMap(({ id, key }) => (key === null ? [] : [{ input_id: id, input_key: key }]));
  const mended = repair && rekeyed.length > 0 ? await repairInputKeys(db, rekeyed) : new Set<string>();
  return wrong.map(({ id, detail }) => ({ check: 'input-identity', id, detail, mended: mended.has(id) }));
}

/** Steps until `budgetMs` are over: what one call of the API answers. */
export async function examineFor(
  db: Db,
  cursor: string | null,
  options: { readonly repair: boolean; readonly budgetMs: number },
): Promise<Examination> {
  const end = performance.now() + options.budgetMs;
  const looked: Record<string, number> = {};
  const findings: Finding[] = [];
  let next = cursor;
  do {
    const step = await examine(db, next, options.repair);
    looked[step.area] = (looked[step.area] ?? 0) + step.looked;
    findings.push(...step.findings);
    next = step.next;
  } while (next !== null && performance.now() < end);
  return {
    looked,
    findings: findings.map((one) => ({ ...one, rule: RULES.get(one.check) ?? one.check })),
    next_cursor: next,
  };
}
