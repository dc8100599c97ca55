/** Execution statistics as KBase's Catalog takes them, with the service's own token. */
import type { ExecutionStatistics } from '../contract/execution-statistics.js';
import type { Secret } from '../contract/secret.js';
import type { Http } from '../kbase/http.js';
import { callService } from '../kbase/json-rpc.js';
import { ServiceRefusal } from '../kbase/outage.js';

/** Null: taken. A text: refused, and why. Throws if the Catalog can not be asked; it may have heard all the same. */
export function createStatisticsSink(parts: { readonly http: Http; readonly url: string; readonly token: Secret }) {
  return async (of: ExecutionStatistics): Promise<string | null> => {
    const { http, url, token } = parts;
    const call = { url, method: 'Catalog.log_exec_stats', params: [recordOf(of)], token: token.reveal() };
    try {
      // not repeated here: what was heard and not answered would be counted twice
      await callService(http, { ...call, repeatable: false });
      return null;
    } catch (error) {
      if (error instanceof ServiceRefusal) return error.message;
      throw error;
    }
  };
}

function recordOf(of: ExecutionStatistics) {
  const [module = '', name = ''] = of.method.split('.');
  return {
    user_id: of.user,
    func_module_name: module,
    func_name: name,
    git_commit_hash: of.commit,
    creation_time: of.created,
    exec_start_time: of.started,
    finish_time: of.finished,
    is_error: of.isError ? 1 : 0,
    job_id: of.jobId,
    ...(of.appId !== null && { app_module_name: of.appId.split('/')[0], app_id: of.appId }),
  };
}
