/**
 * Rights by KBase's Workspace service, asked with the caller's own token. Nothing is kept: a right that was taken is gone
 * from the next call on.
 */
import { RepriseError } from '../contract/errors.js';
import type { Secret } from '../contract/secret.js';
import type { Http } from '../kbase/http.js';
import { callService } from '../kbase/json-rpc.js';
import { ServiceOutage, ServiceRefusal } from '../kbase/outage.js';

type Right = 'none' | 'read' | 'write' | 'admin';
const RIGHT_OF: Readonly<Record<string, Right>> = { a: 'admin', w: 'write', r: 'read', n: 'none' };

export interface KbaseWorkspaces {
  workspaceRights(user: string, wsids: readonly number[], token: Secret | undefined): Promise<Map<number, Right>>;
  unreadableObjects(user: string, refs: readonly string[], token: Secret | undefined): Promise<Set<string>>;
}

interface Service {
  readonly http: Http;
  readonly url: string;
}

export function createKbaseWorkspaces(service: Service): KbaseWorkspaces {
  return {
    workspaceRights: (user, wsids, token) => rights(service, user, wsids, token),
    unreadableObjects: (_user, refs, token) => unreadable(service, refs, token),
  };
}

const NONE = 'none' as const;
/** No number beyond this was ever given to a workspace. */
const LARGEST = 2_147_483_647;
/** What the service takes in one call. */
const MOST_WORKSPACES = 1000;
const MOST_OBJECTS = 10_000;
/** Of workspaces that are asked one by one. */
const AT_ONCE = 8;

async function rights(service: Service, user: string, wsids: readonly number[], token: Secret | undefined) {
  const asked = [...new Set(wsids)].filter((wsid) => Number.isInteger(wsid) && wsid > 0 && wsid <= LARGEST);
  const known = new Map<number, Right>(wsids.map((wsid) => [wsid, NONE]));
  if (asked.length === 0) return known;
  const told = requireToken(token);
  for (const some of sharesOf(asked, MOST_WORKSPACES)) {
    for (const [wsid, right] of await askTogether(service, user, some, told)) known.set(wsid, right);
  }
  return known;
}

/**
 * One call for all. The service fails it as a whole if one workspace is deleted or unknown; then each is asked by itself,
 * so that one dead workspace hides no other. Of a single one its message is told, as EE2's users know it.
 */
async function askTogether(service: Service, user: string, wsids: readonly number[], token: string) {
  try {
    return await askRights(service, user, wsids, token);
  } catch (error) {
    if (!(error instanceof ServiceRefusal) || wsids.length === 1) throw told(error, 'fetching user permissions from');
    const found: [number, Right][] = [];
    for (const some of sharesOf(wsids, AT_ONCE)) {
      found.push(...(await Promise.all(some.map((wsid) => askAlone(service, user, wsid, token)))));
    }
    return found;
  }
}

async function askAlone(service: Service, user: string, wsid: number, token: string): Promise<[number, Right]> {
  try {
    return (await askRights(service, user, [wsid], token))[0] ?? [wsid, NONE];
  } catch (error) {
    if (error instanceof ServiceRefusal) return [wsid, NONE];
    throw told(error, 'fetching user permissions from');
  }
}

async function askRights({ http, url }: Service, user: string, wsids: readonly number[], token: string) {
  const params = [{ workspaces: wsids.map((id) => ({ id })) }];
  const answer = await callService(http, {
    url,
    method: 'Workspace.get_permissions_mass',
    params,
    token,
    repeatable: true,
  });
  const { perms } = (answer ?? {}) as { perms?: unknown };
  if (!Array.isArray(perms) || perms.length !== wsids.length) {
    throw new ServiceOutage('the Workspace answered without the permissions that were asked for');
  }
  return wsids.map((wsid, at): [number, Right] => [wsid, rightOf(perms[at] as Record<string, string>, user)]);
}

/** The user's own entry, or what everyone has. */
function rightOf(perms: Readonly<Record<string, string>>, user: string): Right {
  const own = Object.hasOwn(perms, user) ? (RIGHT_OF[perms[user] ?? 'n'] ?? NONE) : NONE;
  return own === NONE ? (RIGHT_OF[perms['*'] ?? 'n'] ?? NONE) : own;
}

async function unreadable(service: Service, refs: readonly string[], token: Secret | undefined) {
  const asked = [...new Set(refs)];
  const blind = new Set<string>();
  for (const some of sharesOf(asked, MOST_OBJECTS)) {
    const paths = await askPaths(service, some, requireToken(token)).catch((error) => {
      throw told(error, 'checking objects in');
    });
    for (const [at, ref] of some.entries()) if (paths[at] === null || paths[at] === undefined) blind.add(ref);
  }
  return blind;
}

/** A null for each object that the user can not read. */
async function askPaths({ http, url }: Service, refs: readonly string[], token: string): Promise<unknown[]> {
  const params = [{ objects: refs.map((ref) => ({ ref })), ignoreErrors: 1 }];
  const call = { url, method: 'Workspace.get_object_info3', params, token, repeatable: true };
  const { paths } = ((await callService(http, call)) ?? {}) as { paths?: unknown };
  if (Array.isArray(paths) && paths.length === refs.length) return paths;
  throw new ServiceOutage('it answered without the paths that were asked for');
}

function sharesOf<T>(all: readonly T[], size: number): T[][] {
  const shares: T[][] = [];
  for (let from = 0; from < all.length; from += size) shares.push(all.slice(from, from + size));
  return shares;
}

/** Missing where the caller is no user of KBase: such a caller has no rights over there. */
function requireToken(token: Secret | undefined): string {
  if (token !== undefined) return token.reveal();
  throw new RepriseError('FORBIDDEN', 'this call needs the token of a KBase user, which the Workspace judges by');
}

/** As Python prints the exception, which is what EE2's users are shown. */
function told(error: unknown, doing: string): unknown {
  const isRefusal = error instanceof ServiceRefusal;
  if (!isRefusal && !(error instanceof ServiceOutage)) return error;
  const shown = `'${error.message.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const sentence = `('An error occurred while ${doing} the Workspace', ${isRefusal ? 'ServerError' : 'ConnectionError'}(${shown}))`;
  return new RepriseError(isRefusal ? 'FORBIDDEN' : 'UNAVAILABLE', sentence, undefined, { cause: error });
}
