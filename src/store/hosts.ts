/** Machines with a local scheduler, and the leases that tell the living from the lost. All by the database's clock. */
import { type Queryable, statement } from './db.js';

export interface HostLease {
  readonly host: string;
  readonly url: string;
  readonly cpus: number;
  readonly memoryMb: number;
}

const renewHostLease = statement<{ unseen_seconds: number | null }>(
  'renew_host_lease',
  `
  with before as (
    select seen_at
    from hosts
    where host = $1::text
  )
  insert into hosts (host, url, cpus, memory_mb)
  values ($1::text, $2::text, $3::integer, $4::integer)
  on conflict (host) do update
  set url = excluded.url, cpus = excluded.cpus, memory_mb = excluded.memory_mb, seen_at = now()
  returning (select extract(epoch from now() - seen_at)::float8 from before) as unseen_seconds`,
);

/** Seconds since the lease was renewed before; null the first time. */
export async function renewHost(db: Queryable, h: HostLease): Promise<number | null> {
  const [row] = await db.query(renewHostLease, [h.host, h.url, h.cpus, h.memoryMb]);
  return row?.unseen_seconds ?? null;
}

const selectLiveHosts = statement<{ host: string; cpus: number; memory_mb: number }>(
  'select_live_hosts',
  `
  select host, cpus, memory_mb
  from hosts
  where seen_at >= now() - make_interval(secs => $1::float8)
  order by host`,
);

export function findLiveHosts(db: Queryable, leaseSeconds: number) {
  return db.query(selectLiveHosts, [leaseSeconds]);
}

const lockLostHosts = statement<{ host: string }>(
  'lock_lost_hosts',
  `
  select h.host
  from hosts h
  where h.seen_at < now() - make_interval(secs => $1::float8)
    and exists (
      select
      from dispatches d
      where d.scheduler_host = h.host and d.closed_at is null
    )
  order by h.host
  for update skip locked`,
);

/** A host that comes back meanwhile waits for the end of the transaction, and finds its dispatches given up. */
export async function lockHostsThatAreLost(tx: Queryable, leaseSeconds: number): Promise<string[]> {
  return (await tx.query(lockLostHosts, [leaseSeconds])).map((row) => row.host);
}

const selectDispatchesOfLostHosts = statement<{ dispatch_id: string; scheduler_host: string }>(
  'select_dispatches_of_lost_hosts',
  `
  select d.dispatch_id, d.scheduler_host
  from dispatches d
  where d.closed_at is null
    and d.scheduler_host is not null
    and d.seen_at < now() - make_interval(secs => $2::float8)
    and (d.scheduler_host = any($1::text[]) or not exists (select from hosts h where h.host = d.scheduler_host))
  order by d.dispatch_id
  limit 1000`,
);

/** Of the hosts named, and of those that were never known here (a record that came from elsewhere). */
export function findDispatchesOfLostHosts(tx: Queryable, hosts: readonly string[], leaseSeconds: number) {
  return tx.query(selectDispatchesOfLostHosts, [hosts, leaseSeconds]);
}

const deleteForgottenHosts = statement(
  'delete_forgotten_hosts',
  `
  delete from hosts h
  where h.seen_at < now() - interval '30 days'
    and not exists (
      select
      from dispatches d
      where d.scheduler_host = h.host and d.closed_at is null
    )`,
);

export async function forgetHosts(db: Queryable): Promise<void> {
  await db.query(deleteForgottenHosts);
}
