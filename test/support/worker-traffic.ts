/** Workers as KBase's job runner is one: two calls a second each, and a call that fails is repeated once, after a second. */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Traffic {
  /** First tries that failed, as their errors' codes. */
  readonly failures: string[];
  /** Calls that failed twice: here the job runner gives its job up. */
  readonly lost: string[];
  /** Calls that were answered, by worker. */
  readonly answered: number[];
  /** The longest that a call took, in ms. */
  longest: number;
  /** Lines whose storing was acknowledged, by worker. */
  readonly lines: string[][];
  stop(): Promise<void>;
}

const EVERY_MS = 500;

export function startTraffic(url: string, token: string, jobIds: readonly string[]): Traffic {
  let on = true;
  const traffic: Traffic = {
    failures: [],
    lost: [],
    answered: jobIds.map(() => 0),
    longest: 0,
    lines: jobIds.map(() => []),
    async stop() {
      on = false;
      await Promise.all(workers);
    },
  };
  const workers = jobIds.map(async (jobId, worker) => {
    // some clients keep their connection, KBase's do not
    const agent = worker % 2 === 0 ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    await sleep((worker / jobIds.length) * EVERY_MS);
    for (let n = 0; on; n += 1) {
      const due = performance.now() + EVERY_MS;
      await callOnceMore(traffic, { url, token, agent }, jobId, worker, n);
      await sleep(Math.max(0, due - performance.now()));
    }
    agent?.destroy();
  });
  return traffic;
}

interface Way {
  readonly url: string;
  readonly token: string;
  readonly agent: Agent | undefined;
}

async function callOnceMore(traffic: Traffic, way: Way, jobId: string, worker: number, n: number): Promise<void> {
  const line = `line ${n}`;
  const isLog = n % 2 === 0;
  const [method, params] = isLog
    ? ['add_job_logs', [{ job_id: jobId }, [{ line }]]]
    : ['check_job_canceled', [{ job_id: jobId }]];
  const begun = performance.now();
  for (const isRepeat of [false, true]) {
    const error = await call(way, method as string, params).catch((thrown: NodeJS.ErrnoException) => thrown);
    if (error === null) {
      traffic.answered[worker] = (traffic.answered[worker] ?? 0) + 1;
      if (isLog) traffic.lines[worker]?.push(line);
      break;
    }
    const { code, message } = error;
    (isRepeat ? traffic.lost : traffic.failures).push(code ?? message);
    if (!isRepeat) await sleep(1000);
  }
  traffic.longest = Math.max(traffic.longest, performance.now() - begun);
}

/** Null when it was answered as it should be. */
function call({ url, token, agent }: Way, method: string, params: unknown): Promise<null> {
  const body = JSON.stringify({ method: `execution_engine2.${method}`, params, version: '1.1', id: '1' });
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/services/ee2`, {
      method: 'POST',
      headers: { AUTHORIZATION: token, 'content-length': Buffer.byteLength(body) },
      agent: agent ?? false,
      timeout: 60_000,
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer within 60 s')));
    sent.once('error', reject);
    sent.once('response', (answer) => {
      answer.resume();
      answer.once('error', reject);
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve(null) : reject(new Error(`HTTP ${answer.statusCode}`)),
      );
    });
    sent.end(body);
  });
}
