/** Workspaces: who may read, write and share. Any user may make one and is its admin. */
import { RepriseError } from '../contract/errors.js';
import type { WorkspaceView } from '../contract/schemas.js';
import type { Db, Queryable } from '../store/db.js';
import { findUser } from '../store/tokens.js';
import {
  addWorkspace,
  findRoles,
  findWorkspace,
  findWorkspaces,
  lockWorkspace,
  type Role,
  setMember,
  type WorkspaceRow,
} from '../store/workspaces.js';
import { type Caller, checkedLabel, checkUserName, usesAdmin } from './caller.js';
import { noSuchUser } from './tokens.js';

type Right = 'none' | Role;
type Member = WorkspaceView['members'][number];
const EVERYONE = '*';
const ORDER: readonly Right[] = ['none', 'read', 'write', 'admin'];

/** A right for each workspace asked for: the user's own, or what everyone has; `none` where there is no such one. */
export async function workspaceRights(db: Db, user: string, wsids: readonly number[]): Promise<Map<number, Right>> {
  const rights = new Map<number, Right>(wsids.map((wsid) => [wsid, 'none']));
  for (const { wsid, role } of await findRoles(db, user, wsids.filter(Number.isSafeInteger))) {
    if (ORDER.indexOf(role) > ORDER.indexOf(rights.get(wsid) ?? 'none')) rights.set(wsid, role);
  }
  return rights;
}

export async function createWorkspace(db: Db, caller: Caller, name: string): Promise<WorkspaceView> {
  const wsid = await addWorkspace(db, checkedLabel('workspace', name), caller.user);
  return viewOf((await findWorkspace(db, caller.user, wsid)) as WorkspaceRow, true);
}

export async function listWorkspaces(db: Db, caller: Caller): Promise<WorkspaceView[]> {
  const all = usesAdmin(caller, 'read');
  return (await findWorkspaces(db, caller.user, all)).map((row) => viewOf(row, all));
}

/** Gives, changes or takes (`none`) a role. For the workspace's admins, and for write admins as admin; anyone may leave. */
export async function shareWorkspace(
  db: Db,
  caller: Caller,
  wsid: number,
  member: string,
  role: Right,
): Promise<WorkspaceView> {
  const asAdmin = usesAdmin(caller, 'write');
  if (member !== EVERYONE) checkUserName(member);
  else if (role !== 'read' && role !== 'none') {
    throw new RepriseError(
      'INVALID_INPUT',
      `everyone ('*') can be given read or none, not ${role}; name a user for more`,
    );
  }
  return db.transaction(async (tx) => {
    const before = await lockedWorkspace(tx, caller, wsid);
    requireMayShare(caller, asAdmin, before, member, role);
    requireAnAdminRemains(before, member, role);
    if (member !== EVERYONE && (await findUser(tx, member)) === undefined) throw noSuchUser(member);
    await setMember(tx, wsid, member, role);
    return viewOf((await findWorkspace(tx, caller.user, wsid)) as WorkspaceRow, true);
  });
}

async function lockedWorkspace(tx: Queryable, caller: Caller, wsid: number): Promise<WorkspaceRow> {
  const known = Number.isSafeInteger(wsid) && (await lockWorkspace(tx, wsid));
  const row = known ? await findWorkspace(tx, caller.user, wsid) : undefined;
  if (row !== undefined) return row;
  throw new RepriseError('NOT_FOUND', `there is no workspace ${wsid}; reprise workspace list shows those you can read`);
}

function requireMayShare(caller: Caller, asAdmin: boolean, row: WorkspaceRow, member: string, role: Right): void {
  const leaves = member === caller.user && role === 'none';
  if (asAdmin || leaves || row.own_role === 'admin') return;
  throw new RepriseError('FORBIDDEN', `only admins of workspace ${row.wsid} may share it; ask one of them`);
}

/** Judged under the workspace's lock: of two admins who leave at once, one stays. */
function requireAnAdminRemains(row: WorkspaceRow, member: string, role: Right): void {
  const admins = membersOf(row).filter((one) => one.role === 'admin');
  if (role === 'admin' || admins.length > 1 || admins[0]?.user !== member) return;
  throw new RepriseError(
    'CONFLICT',
    `${member} is the last admin of workspace ${row.wsid}; make another member admin first`,
  );
}

function membersOf(row: WorkspaceRow): Member[] {
  return JSON.parse(row.members) as Member[];
}

/** Who can read only because everyone can is not told the members' names. */
function viewOf(row: WorkspaceRow, all: boolean): WorkspaceView {
  const { wsid, name, created_by, own_role, public_role } = row;
  const insider = all || own_role !== null;
  const members = membersOf(row).filter((member) => insider || member.user === EVERYONE);
  return { wsid, name, created_by, role: own_role ?? public_role ?? 'none', members };
}
