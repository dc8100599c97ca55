/** The far side: KBase's auth, Workspace and Catalog services as one HTTP server, with faults on demand. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault = 'refuse' | 'html' | 'hang' | 'service error';

interface Version {
  readonly commit: string;
  readonly tags: string[];
}

export interface ExecStats {
  readonly job_id: string;
  readonly [member: string]: unknown;
}

export class KbaseFake {
  readonly users = new Map<string, string>();
  readonly roles = new Map<string, string[]>();
  /** By number: user or `*` → a, w, r. */
  readonly workspaces = new Map<number, Map<string, string>>();
  readonly unreadable = new Set<string>();
  readonly modules = new Map<string, Version[]>();
  /** By `module.function`: what list_client_group_configs gives. */
  readonly clientGroups = new Map<string, unknown[]>();
  readonly stats: ExecStats[] = [];
  readonly adminToken = 'ADMINTOKEN';
  /** Each call in order: `login`, `me`, or the method's name. */
  readonly calls: string[] = [];
  /** The next calls whose name begins so fail like this; `Infinity` = until changed. */
  readonly faults = new Map<string, { fault: Fault; times: number }>();
  /** Called before an answer is given, with the name of the call. */
  before: (name: string) => Promise<void> | void = () => {};
  /** What a record of statistics is refused for, or null. */
  refuseStats: (stats: ExecStats) => string | null = () => null;
  #server = createServer((request, response) => void this.#handle(request, response));
  url = '';

  async start(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  fail(name: string, fault: Fault, times = 1): void {
    this.faults.set(name, { fault, times });
  }

  countOf(name: string): number {
    return this.calls.filter((call) => call === name).length;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += chunk;
    const path = request.url ?? '';
    const name = nameOf(path, text);
    this.calls.push(name);
    await this.before(name);
    const fault = this.#faultOf(name);
    if (fault === 'refuse') request.socket.destroy();
    else if (fault === 'html') reply(response, 502, '<html>Bad Gateway</html>', 'text/html');
    else if (fault !== 'hang') this.#carryOut(name, text, request, fault, response);
  }

  #carryOut(name: string, text: string, { headers }: IncomingMessage, fault: Fault | null, response: ServerResponse) {
    const token = String(headers.authorization ?? '');
    if (name === 'login') this.#login(text, response);
    else if (name === 'me') this.#me(token, response);
    else this.#rpc(text, token, fault, response);
  }

  #faultOf(name: string): Fault | null {
    const found = [...this.faults].find(([prefix, { times }]) => name.startsWith(prefix) && times > 0);
    if (found === undefined) return null;
    found[1].times -= 1;
    return found[1].fault;
  }

  #login(text: string, response: ServerResponse): void {
    const user = this.users.get(new URLSearchParams(text).get('token') ?? '');
    if (user === undefined) reply(response, 401, INVALID);
    else reply(response, 200, JSON.stringify({ user_id: user }));
  }

  #me(token: string, response: ServerResponse): void {
    const user = this.users.get(token);
    if (user === undefined) reply(response, 401, INVALID);
    else reply(response, 200, JSON.stringify({ user, customroles: this.roles.get(user) ?? [] }));
  }

  #rpc(text: string, token: string, fault: Fault | null, response: ServerResponse): void {
    const { method, params, id } = JSON.parse(text) as { method: string; params: [never]; id: string };
    try {
      if (fault === 'service error') throw new Error('something is wrong over here');
      const answer = this.#answer(method, params[0], token);
      reply(response, 200, JSON.stringify({ version: '1.1', id, result: answer === undefined ? null : [answer] }));
    } catch (error) {
      const { message } = error as Error;
      const told = { name: 'JSONRPCError', code: -32500, message, error: 'a trace' };
      reply(response, 500, JSON.stringify({ version: '1.1', id, error: told }));
    }
  }

  #answer(method: string, params: never, token: string): unknown {
    if (method === 'Workspace.get_permissions_mass') return { perms: this.#permissions(params, this.#userOf(token)) };
    if (method === 'Workspace.get_object_info3') return this.#objects(params, this.#userOf(token));
    if (method === 'Catalog.get_module_version') return this.#version(params);
    if (method === 'Catalog.list_client_group_configs') return this.#configs(params);
    if (method === 'Catalog.log_exec_stats') return this.#log(params, token);
    throw new Error(`there is no ${method}`);
  }

  #userOf(token: string): string {
    const user = this.users.get(token);
    if (user === undefined) throw new Error('Token validation failed!');
    return user;
  }

  /** Who is no admin of a workspace sees only their own entry and everyone's. */
  #permissions({ workspaces }: { workspaces: { id: number }[] }, caller: string) {
    return workspaces.map(({ id }) => {
      const perms = this.workspaces.get(id);
      if (perms === undefined) throw new Error(`No workspace with id ${id} exists`);
      const own = perms.get(caller) ?? 'n';
      const shown = own === 'a' ? [...perms] : [...perms].filter(([user]) => user === '*');
      return { ...Object.fromEntries(shown), [caller]: own };
    });
  }

  #objects({ objects, ignoreErrors }: { objects: { ref: string }[]; ignoreErrors: number }, caller: string) {
    const readable = (ref: string) => {
      const perms = this.workspaces.get(Number(ref.split('/')[0]));
      return !this.unreadable.has(ref) && perms !== undefined && (perms.has(caller) || perms.has('*'));
    };
    const blind = objects.find(({ ref }) => !readable(ref));
    if (blind !== undefined && ignoreErrors !== 1) throw new Error(`Object ${blind.ref} cannot be accessed`);
    return {
      infos: objects.map(({ ref }) => (readable(ref) ? [1, 'name', 'Type'] : null)),
      paths: objects.map(({ ref }) => (readable(ref) ? [ref] : null)),
    };
  }

  #version({ module_name: name, version }: { module_name: string; version: string }) {
    const versions = this.modules.get(name);
    if (versions === undefined) throw new Error('Module cannot be found based on module_name or git_url parameters.');
    const found = versions.find(({ commit, tags }) => commit === version || tags.includes(version));
    return found === undefined ? null : { module_name: name, git_commit_hash: found.commit, version: '0.0.1' };
  }

  #configs({ module_name: module, function_name: name }: { module_name: string; function_name: string }) {
    return (this.clientGroups.get(`${module}.${name}`) ?? []).map((groups) => ({
      module_name: module,
      function_name: name,
      client_groups: groups,
    }));
  }

  #log(stats: ExecStats, token: string): undefined {
    if (token !== this.adminToken) throw new Error('You do not have permission to log execution statistics.');
    const reason = this.refuseStats(stats);
    if (reason !== null) throw new Error(reason);
    this.stats.push(stats);
  }
}

const INVALID = JSON.stringify({ error: { httpcode: 401, message: '10020 Invalid token' } });

function nameOf(path: string, text: string): string {
  if (path.endsWith('/Sessions/Login')) return 'login';
  if (path.endsWith('/api/V2/me')) return 'me';
  return (JSON.parse(text) as { method: string }).method;
}

function reply(response: ServerResponse, status: number, text: string, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type }).end(text);
}

export async function startKbase(): Promise<KbaseFake> {
  return new KbaseFake().start();
}
