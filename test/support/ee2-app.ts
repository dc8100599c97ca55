/** The application in this process, without a listener: JSON-RPC calls as bytes in, bytes out. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { type App, buildApp } from '../../src/api/app.js';
import type { ApiDeps, Identity } from '../../src/api/deps.js';
import { DEFAULT_SETTINGS, type ServiceSettings } from '../../src/contract/settings.js';
import { createLog } from '../../src/log.js';
import { createMetrics } from '../../src/metrics.js';
import type { Db } from '../../src/store/db.js';
import { type Harness, openEngine } from './engine.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: { readonly result?: [unknown] | null; readonly error?: RpcFailure };
}
export interface RpcFailure {
  readonly code: number;
  readonly name: string;
  readonly message: string | null;
  readonly error: string | null;
}

export interface Ee2App {
  readonly h: Harness;
  /** To listen with. */
  readonly app: App;
  /** A token is its user's name; `root` is a write admin, `auditor` a read admin. */
  post(body: string | Uint8Array, headers?: Record<string, string>, path?: string, method?: string): Promise<Answer>;
  /** `params` as JSON text. */
  rpc(method: string, params: string, user: string): Promise<Answer>;
  /** The value, or the error's message thrown. */
  call<T>(method: string, params: unknown[], user: string): Promise<T>;
}

const ROLES: Readonly<Record<string, Identity['admin']>> = { root: 'write', auditor: 'read' };

export function openEe2(db: Db, options: { bodyLimit?: number; settings?: Partial<ServiceSettings> } = {}): Ee2App {
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const h = openEngine(db, { settings });
  const nothing = new Proxy({} as ApiDeps['apps'] & ApiDeps['people'] & ApiDeps['sessions'], {
    get: () => () => Promise.reject(new Error('not part of this application')),
  });
  // of the parts that JSON-RPC does not use, none is given
  const deps = {
    engine: h.engine,
    examine: async () => ({ looked: {}, findings: [], next_cursor: null }),
    apps: nothing,
    people: nothing,
    readiness: async () => ({ ready: true, checks: {} }),
    sessions: nothing,
    webDir: import.meta.dirname,
    identify: async (token) => (/^[a-z]+$/.test(token) ? { user: token, admin: ROLES[token] ?? 'none' } : null),
    dispatchTokens: h.ctx.tokens,
    settings,
    version: '1.2.3',
    gitCommit: 'c0ffee',
    bodyLimit: options.bodyLimit ?? 64 * 1024 * 1024,
    log: createLog({ level: 'silent' }),
    metrics: createMetrics({ unfinishedJobs: async () => [] }),
  } satisfies Partial<ApiDeps>;
  const app = buildApp(deps as unknown as ApiDeps);
  const post: Ee2App['post'] = async (body, headers = {}, path = '/services/ee2', method = 'POST') => {
    const incoming = Object.assign(Readable.from([Buffer.from(body)]), { headers });
    const env = { incoming: incoming as unknown as IncomingMessage, outgoing: {} as ServerResponse };
    const answer = await app.http.fetch(new Request(`http://ee2.test${path}`, { method, headers }), env);
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, body: text === '' ? {} : JSON.parse(text) };
  };
  const rpc: Ee2App['rpc'] = (method, params, user) =>
    post(`{"method": "execution_engine2.${method}", "params": ${params}, "version": "1.1", "id": "17"}`, {
      authorization: user,
    });
  return {
    h,
    app,
    post,
    rpc,
    async call<T>(method: string, params: unknown[], user: string): Promise<T> {
      const { body } = await rpc(method, JSON.stringify(params), user);
      if (body.error !== undefined) throw new Error(body.error.message ?? body.error.name);
      return (body.result === null || body.result === undefined ? null : body.result[0]) as T;
    },
  };
}
