/** What runners are given to run, from what is recorded. */
import { RepriseError } from '../contract/errors.js';
import type { JobSpec } from '../contract/worker.js';
import { findParams, type ReportedDispatchRow } from '../store/dispatches.js';
import type { Context } from './context.js';
import { specForOther } from './other-runner.js';

/** In the order given. What can not be told of one is told of no other: that one's dispatch is given up. */
export async function specsOf(
  ctx: Context,
  rows: readonly ReportedDispatchRow[],
): Promise<Map<string, JobSpec | RepriseError>> {
  const own = rows.filter((row) => row.own_runner);
  const specs = await ownSpecs(ctx, own);
  for (const row of rows.filter((one) => !one.own_runner)) {
    specs.set(row.dispatch_id, await orRefusal(async () => specForOther(ctx, row, await paramsOf(ctx, row))));
  }
  return specs;
}

/** One look-up for all; if it fails each is looked up alone, so that one broken record holds up no other. */
async function ownSpecs(ctx: Context, rows: readonly ReportedDispatchRow[]) {
  const specs = new Map<string, JobSpec | RepriseError>();
  try {
    const executions = await ctx.catalog.executions(rows.map(versionOf));
    for (const [at, row] of rows.entries()) {
      const { module, commit, repository, command, env } = executions[at]!;
      specs.set(row.dispatch_id, {
        job_id: row.job_id,
        module,
        method: row.method,
        commit,
        repository,
        command: [...command],
        env: { ...env },
        input: (await paramsOf(ctx, row)) ?? 'null',
        timeout_ms: row.timeout_ms,
        cpus: row.cpus,
        memory_mb: row.memory_mb,
      });
    }
    return specs;
  } catch (error) {
    const [only] = rows;
    if (rows.length > 1) {
      for (const row of rows) for (const [id, spec] of await ownSpecs(ctx, [row])) specs.set(id, spec);
    } else if (only !== undefined) specs.set(only.dispatch_id, refusalOf(error));
    return specs;
  }
}

const versionOf = (row: ReportedDispatchRow) => ({ method: row.method, commit: row.app_commit });

/** A start that is repeated comes without: its answer was lost. */
async function paramsOf(ctx: Context, row: ReportedDispatchRow): Promise<string | null> {
  return row.started_at === null ? row.params : findParams(ctx.db, row.job_id);
}

async function orRefusal(work: () => Promise<JobSpec>): Promise<JobSpec | RepriseError> {
  try {
    return await work();
  } catch (error) {
    return refusalOf(error);
  }
}

/** Anything else is a fault of a moment: the runner asks again. */
function refusalOf(error: unknown): RepriseError {
  if (error instanceof RepriseError) return error;
  throw error;
}
