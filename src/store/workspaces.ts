/** Workspaces and their members. The member `*` with role read makes one readable by everyone. */
import { type Queryable, statement } from './db.js';

export type Role = 'read' | 'write' | 'admin';

export interface MemberRow {
  readonly wsid: number;
  readonly member: string;
  readonly role: Role;
}

const selectRoles = statement<MemberRow>(
  'select_roles',
  `
  select wsid, member, role
  from workspace_members
  where wsid = any($2::bigint[]) and member in ($1::text, '*')`,
);

/** A user's own roles and what everyone has. */
export async function findRoles(db: Queryable, user: string, wsids: readonly number[]): Promise<MemberRow[]> {
  return wsids.length === 0 ? [] : db.query(selectRoles, [user, wsids]);
}

const insertWorkspace = statement<{ wsid: number }>(
  'insert_workspace',
  `
  with made as (
    insert into workspaces (name, created_by)
    values ($1::text, $2::text)
    returning wsid
  )
  insert into workspace_members (wsid, member, role)
  select wsid, $2::text, 'admin'
  from made
  returning wsid`,
);

/** Makes a workspace with its creator as admin; returns its number. */
export async function addWorkspace(db: Queryable, name: string, creator: string): Promise<number> {
  const rows = await db.query(insertWorkspace, [name, creator]);
  return (rows[0] as { wsid: number }).wsid;
}

export interface WorkspaceRow {
  readonly wsid: number;
  readonly name: string;
  readonly created_by: string;
  /** The asking user's own. */
  readonly own_role: Role | null;
  readonly public_role: Role | null;
  /** A JSON array of {"user", "role"}, as text. */
  readonly members: string;
}

const selectWorkspaces = statement<WorkspaceRow>(
  'select_workspaces',
  `
  select
    w.wsid, w.name, w.created_by, own.role as own_role, public.role as public_role,
    (
      select coalesce(json_agg(json_build_object('user', m.member, 'role', m.role) order by m.member), '[]')::text
      from workspace_members m
      where m.wsid = w.wsid
    ) as members
  from workspaces w
  left join workspace_members own on own.wsid = w.wsid and own.member = $1::text
  left join workspace_members public on public.wsid = w.wsid and public.member = '*'
  where ($2::bigint is null or w.wsid = $2)
    and ($3::boolean or own.role is not null or public.role is not null)
  order by w.wsid`,
);

/** Those that the user can read, by number; `all` = also those that the user cannot. */
export function findWorkspaces(db: Queryable, user: string, all: boolean): Promise<WorkspaceRow[]> {
  return db.query(selectWorkspaces, [user, null, all]);
}

/** Whether or not the user can read it. */
export async function findWorkspace(db: Queryable, user: string, wsid: number): Promise<WorkspaceRow | undefined> {
  return (await db.query(selectWorkspaces, [user, wsid, true]))[0];
}

const lockWorkspaceRow = statement<{ wsid: number }>(
  'lock_workspace',
  `
  select wsid
  from workspaces
  where wsid = $1::bigint
  for update`,
);

/** Changes of members wait for each other, so that two admins cannot remove each other at once. */
export async function lockWorkspace(tx: Queryable, wsid: number): Promise<boolean> {
  return (await tx.query(lockWorkspaceRow, [wsid])).length > 0;
}

const upsertMember = statement(
  'upsert_member',
  `
  insert into workspace_members (wsid, member, role)
  values ($1::bigint, $2::text, $3::text)
  on conflict (wsid, member) do update
  set role = excluded.role`,
);

const deleteMember = statement(
  'delete_member',
  `
  delete from workspace_members
  where wsid = $1::bigint and member = $2::text`,
);

export async function setMember(tx: Queryable, wsid: number, member: string, role: Role | 'none'): Promise<void> {
  if (role === 'none') await tx.query(deleteMember, [wsid, member]);
  else await tx.query(upsertMember, [wsid, member, role]);
}
