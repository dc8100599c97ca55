/** add_job_logs and get_job_logs. */
import { RepriseError } from '../../contract/errors.js';
import { RawJson } from '../../contract/raw-json.js';
import type { Actor, LineToAdd } from '../../engine/engine.js';
import type { ApiDeps } from '../deps.js';
import { idOf, type P, truthy } from './params.js';

/** A malformed line refuses the whole call with `success: false`; a job that is unknown or not the caller's is an error. */
export async function addJobLogs(deps: ApiDeps, actor: Actor, params: P, lines: readonly unknown[]) {
  const jobId = idOf(params);
  const now = Date.now();
  const parsed = lines.map((line) => lineOf(line, now));
  if (parsed.some((line) => line === null)) {
    return { success: false, line_number: (await deps.engine.countLog(actor, jobId)) ?? -1 };
  }
  return { success: true, line_number: await deps.engine.addLogs(actor, jobId, parsed as LineToAdd[]) };
}

function lineOf(value: unknown, now: number): LineToAdd | null {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
  const { line, is_error: isError = 0, ts } = value as P;
  if (typeof line !== 'string') return null;
  if (typeof isError !== 'boolean' && typeof isError !== 'number' && isError !== null) return null;
  return { line, isError: Boolean(isError), ts: timeOf(ts, now) };
}

/** A JSON integer is milliseconds, a JSON float seconds, a text of either likewise, another text a date; else now. */
function timeOf(ts: unknown, now: number): number {
  const text = ts instanceof RawJson ? textOfRaw(ts) : null;
  if (text === null || text === '') return now;
  const number = Number(text);
  const ms = Number.isFinite(number) ? (/^-?\d+$/.test(text) ? number : number * 1000) : Date.parse(text);
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? Math.round(ms) : now;
}

function textOfRaw({ text }: RawJson): string | null {
  const value = JSON.parse(text) as unknown;
  if (typeof value === 'string') return value.trim();
  return typeof value === 'number' ? text : null;
}

/**
 * `skip_lines` is a number of lines to skip: a client may pass the lines it holds or our `last_line_number`, and sees each
 * line exactly once either way.
 */
export async function getJobLogs(deps: ApiDeps, actor: Actor, params: P) {
  const jobId = idOf(params);
  if (truthy(params.skip_lines) && truthy(params.offset)) {
    throw new RepriseError('INVALID_INPUT', 'Please provide only one of skip_lines or offset');
  }
  const skip = countOf(params, truthy(params.skip_lines) ? 'skip_lines' : 'offset');
  const limit = countOf(params, 'limit');
  const { page, everLogged } = await deps.engine.logs(actor, jobId, skip, limit === 0 ? null : limit);
  if (!everLogged) throw new RepriseError('NOT_FOUND', `Cannot find job log with id: ${jobId}`);
  const last = page.lines.at(-1);
  return {
    lines: page.lines.map(({ line, position, is_error, ts }) => ({
      line,
      linepos: position,
      is_error: is_error ? 1 : 0,
      ts,
    })),
    last_line_number: last === undefined ? page.total : last.position + 1,
    count: page.total,
  };
}

const LARGEST = 2_147_483_647;

function countOf(params: P, member: string): number {
  const value = params[member];
  if (!truthy(value)) return 0;
  const number = typeof value === 'string' || typeof value === 'number' ? Number(value) : Number.NaN;
  if (!Number.isInteger(number)) throw new RepriseError('INVALID_INPUT', `${member} must be a number of lines`);
  return Math.min(Math.max(number, 0), LARGEST);
}
