-- The machines whose local schedulers run jobs, each with a lease by the database's clock. A lease that is not renewed by
-- the machine's server is lost: another server then gives up the machine's open dispatches.
create table hosts (
  host text collate "C" primary key,
  url text not null,
  cpus integer not null,
  memory_mb integer not null,
  first_seen_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);
create index dispatches_of_host on dispatches (scheduler_host, dispatch_id)
  where closed_at is null and scheduler_host is not null;
