/** The server's side of worker reports, in memory, by the table of `src/engine/worker-reports.ts`. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { freePort } from '../../scripts/free-ports.mjs';
import { createArchives } from '../../src/catalog/archives.js';
import type {
  FinishReport,
  JobSpec,
  LogLine,
  WorkerAnswer,
  WorkerReport,
  WorkerReports,
} from '../../src/contract/worker.js';
import { WORKER_CHECKOUTS_PATH, WORKER_REPORTS_PATH } from '../../src/contract/worker-paths.js';

/** What is recorded of one dispatch. */
export interface Recorded {
  readonly job: JobSpec;
  /** What its scheduler planned to call it. */
  name?: string | null;
  status: 'queued' | 'running' | 'completed' | 'error' | 'terminated';
  starts: number;
  /** How often a start was answered with the job. */
  startsAllowed: number;
  /** Of the process whose start was allowed. */
  run?: string | null;
  readonly lines: LogLine[];
  /** Lines that came again, and were passed over. */
  repeated: number;
  finish: FinishReport | null;
  /** By the runner's clock. */
  finishSentAt?: number | undefined;
  closed: boolean;
}

export interface ReportServer {
  readonly url: string;
  readonly recorded: Map<string, Recorded>;
  /** How often the files of a commit were sent whole. */
  downloads: number;
  /** Files of commits are sent after this. */
  held: Promise<void>;
  /** How many reports each call carried. */
  readonly calls: number[];
  /** How many of them carried nothing but lines, which leave alone when they have waited for others. */
  callsWithLinesOnly: number;
  /** How often a runner asked only for what it may have been given before. */
  askedAgain: number;
  tokenOf(dispatchId: string): string;
  /** Dispatches that a runner is given when it asks for another. */
  readonly waiting: string[];
  /** What the engine does on a cancel. */
  terminate(dispatchId: string): void;
  /** Carries reports out and breaks the connection before the answer. */
  loseAnswers: boolean;
  /** Connections are refused from here on; `open` listens again, on the same port. */
  shut(): Promise<void>;
  open(): Promise<void>;
}

export async function openReportServer(): Promise<ReportServer> {
  const recorded = new Map<string, Recorded>();
  let server: Server | undefined;
  const port = await freePort();
  const self: ReportServer = {
    url: `http://127.0.0.1:${port}`,
    recorded,
    downloads: 0,
    held: Promise.resolve(),
    calls: [],
    callsWithLinesOnly: 0,
    askedAgain: 0,
    tokenOf: (dispatchId) => `token-of-${dispatchId}`,
    waiting: [],
    terminate(dispatchId) {
      const row = recorded.get(dispatchId);
      if (row !== undefined && !isTerminal(row)) row.status = 'terminated';
    },
    loseAnswers: false,
    async shut() {
      server?.closeAllConnections();
      await new Promise((done) => server?.close(done));
    },
    async open() {
      server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          if (request.url?.startsWith(WORKER_CHECKOUTS_PATH)) return void sendFiles(self, request, response);
          if (request.url !== WORKER_REPORTS_PATH) return response.writeHead(404).end();
          const { reports } = JSON.parse(Buffer.concat(chunks).toString()) as WorkerReports;
          self.calls.push(reports.length);
          if (reports.every(hasLinesOnly)) self.callsWithLinesOnly += 1;
          const answers = reports.map((report) => carryOut(self, report));
          if (self.loseAnswers) return response.destroy();
          response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ answers }));
        });
      });
      await new Promise<void>((done) => server?.listen(port, '127.0.0.1', done));
    },
  };
  await self.open();
  return self;
}

const hasLinesOnly = ({ logs, start, finish, gone, next }: WorkerReport): boolean =>
  logs !== undefined && [start, finish, gone, next].every((part) => part === undefined);

const archives = createArchives();

/** What the server does, with the same git; a commit of another dispatch is not looked for. */
async function sendFiles(server: ReportServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
  const job = server.recorded.get(token.replace(/^token-of-/, ''))?.job;
  if (!job?.repository || !request.url?.endsWith(`/${job.commit}`)) return void response.writeHead(403).end('whose?');
  await server.held;
  try {
    const files = await archives.open(job.repository, job.commit);
    await pipeline(files, response.writeHead(200));
    server.downloads += 1;
  } catch (error) {
    if (!response.headersSent) response.writeHead(404).end(`no such files: ${(error as Error).message}`);
  }
}

/** As the engine gives it: one that waits, or what this run was given before. */
function given(server: ReportServer, next: NonNullable<WorkerReport['next']>, isRepeated: boolean) {
  const { host, run, only_given: onlyGiven } = next;
  if (onlyGiven) server.askedAgain += 1;
  const before = [...server.recorded].find(([, row]) => row.run === run && !row.closed)?.[0];
  const id = isRepeated || onlyGiven ? before : server.waiting.pop();
  if (id === undefined) return {};
  const token = server.tokenOf(id);
  return { next: { dispatch_id: id, token, answer: carryOut(server, { token, start: { host, run } }) } };
}

const isTerminal = ({ status }: Recorded) => ['completed', 'error', 'terminated'].includes(status);

function carryOut(server: ReportServer, report: WorkerReport): WorkerAnswer {
  const { recorded } = server;
  const { token, start, logs, finish, gone, next } = report;
  const row = recorded.get(token.replace(/^token-of-/, ''));
  if (row === undefined) {
    return { ok: false, error: { code: 'UNAUTHENTICATED', message: 'whose?' }, canceled: true, logs_received: 0 };
  }
  const wasClosed = row.closed;
  const wasOver = isTerminal(row);
  let ok = true;
  if (start !== undefined) {
    row.starts += 1;
    const isOfAnother = row.startsAllowed > 0 && row.run !== (start.run ?? null);
    ok = !row.closed && !isTerminal(row) && !isOfAnother;
    if (ok) row.run = start.run ?? null;
    if (ok) row.status = 'running';
    if (ok) row.startsAllowed += 1;
  }
  if (logs !== undefined) {
    const fresh = logs.lines.slice(Math.max(0, row.lines.length - logs.first));
    row.repeated += logs.lines.length - fresh.length;
    if (logs.first > row.lines.length)
      throw new Error(`lines from ${logs.first}, but only ${row.lines.length} are here`);
    for (const line of fresh) row.lines.push(line);
  }
  if (finish !== undefined) {
    if (row.closed) ok = false;
    else {
      row.finish ??= finish;
      row.finishSentAt ??= report.sent_at;
      if (!isTerminal(row)) row.status = (finish.failure_class ?? null) === null ? 'completed' : 'error';
    }
  }
  if (gone === true && !row.closed) {
    row.closed = true;
    if (!isTerminal(row)) row.status = row.startsAllowed > 0 ? 'error' : 'queued';
  }
  return {
    ok,
    status: row.status,
    canceled: row.closed || isTerminal(row),
    logs_received: row.lines.length,
    ...(ok && start !== undefined && { job: row.job }),
    ...(next !== undefined &&
      (wasClosed || (row.closed && !wasOver && row.status === 'completed')) &&
      given(server, next, wasClosed)),
  };
}
