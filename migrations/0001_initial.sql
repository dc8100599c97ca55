-- The books. PostgreSQL 15+ and the embedded PostgreSQL alike. Ids are 24 lower-case hex characters, ordered by time.
-- Texts that are JSON are kept as the text that was received: numbers, key order and spacing come back as they went in.

create table users (
  user_name text collate "C" primary key,
  admin_role text check (admin_role in ('read', 'write')),
  created_at timestamptz not null default now()
);

create table tokens (
  token_id text collate "C" primary key,
  user_name text collate "C" not null references users,
  token_name text not null,
  token_hash bytea not null constraint tokens_hash_once unique,
  created_at timestamptz not null default now(),
  created_by text not null,
  expires_at timestamptz,
  revoked_at timestamptz
);
create index tokens_by_user on tokens (user_name, token_id);

create table workspaces (
  wsid bigint generated always as identity primary key,
  name text not null,
  created_by text collate "C" not null references users,
  created_at timestamptz not null default now()
);

-- member '*' with role 'read' makes a workspace readable by everyone
create table workspace_members (
  wsid bigint not null references workspaces,
  member text collate "C" not null,
  role text not null check (role in ('read', 'write', 'admin')),
  primary key (wsid, member),
  check (member <> '*' or role = 'read')
);
create index workspace_members_by_member on workspace_members (member, wsid);

-- random keys that every replica shares, e.g. the key that signs dispatch tokens
create table secrets (
  secret_name text primary key,
  secret_value bytea not null,
  created_at timestamptz not null default now()
);

create table apps (
  module text collate "C" primary key,
  repository text not null,
  added_by text not null,
  added_at timestamptz not null default now()
);

create table app_versions (
  module text collate "C" not null references apps,
  app_commit text collate "C" not null check (app_commit ~ '^[0-9a-f]{40}([0-9a-f]{24})?$'),
  manifest text not null,
  added_by text not null,
  added_at timestamptz not null default now(),
  withdrawn_at timestamptz,
  withdrawn_by text,
  withdrawn_reason text,
  primary key (module, app_commit)
);

create table app_tags (
  module text collate "C" not null,
  tag text collate "C" not null,
  app_commit text collate "C" not null,
  moved_at timestamptz not null default now(),
  moved_by text not null,
  primary key (module, tag),
  foreign key (module, app_commit) references app_versions (module, app_commit)
);

create table app_tag_moves (
  move_id bigint generated always as identity primary key,
  module text collate "C" not null,
  tag text collate "C" not null,
  from_commit text,
  to_commit text not null,
  moved_at timestamptz not null default now(),
  moved_by text not null
);
create index app_tag_moves_by_tag on app_tag_moves (module, tag, move_id);

-- What ran: app@commit, method, parameters, source objects. input_id is sha256 over the exact texts, so equal texts are
-- stored once; input_key is sha256 over the canonical form (sorted keys, no spacing, number texts kept) and answers
-- "what ran with these inputs, anywhere".
create table inputs (
  input_id text collate "C" primary key,
  input_key text collate "C" not null,
  method text collate "C" not null,
  app_commit text collate "C" not null,
  params text,
  source_objects text not null default '[]'
);
create index inputs_by_key on inputs (input_key);

create table batches (
  batch_id text collate "C" primary key,
  owner text collate "C" not null,
  wsid bigint,
  batch_name text,
  meta text not null default '{}',
  status text not null default 'created' check (status in ('created', 'terminated')),
  terminated_code integer,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz,
  check ((status = 'terminated') = (finished_at is not null))
);
create index batches_by_owner on batches (owner, batch_id);
create index batches_by_workspace on batches (wsid, batch_id) where wsid is not null;

create table jobs (
  job_id text collate "C" primary key check (job_id ~ '^[0-9a-f]{24}$'),
  batch_id text collate "C" references batches,
  -- lineage: the root's id, how manieth retry this is, and the retry that took its place
  root_id text collate "C" not null,
  retry_number integer not null default 0 check (retry_number >= 0),
  previous_number integer generated always as (case when retry_number > 0 then retry_number - 1 end) stored,
  superseded_by text collate "C",
  retry_reason text,
  owner text collate "C" not null,
  wsid bigint,
  input_id text collate "C" not null references inputs,
  module text collate "C" not null,
  method text collate "C" not null,
  app_commit text collate "C" not null,
  app_tag text,
  app_id text,
  parent_job_id text,
  meta text not null default '{}',
  cpus integer not null check (cpus >= 1),
  memory_mb integer not null check (memory_mb >= 1),
  disk_gb integer check (disk_gb >= 1),
  client_group text,
  timeout_ms bigint not null check (timeout_ms >= 1),
  scheduler text not null,
  status text not null default 'created'
    check (status in ('created', 'estimating', 'queued', 'running', 'completed', 'error', 'terminated')),
  wait_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  queued_at timestamptz,
  estimating_at timestamptz,
  running_at timestamptz,
  finished_at timestamptz,
  error_code integer check (error_code between 0 and 6),
  terminated_code integer check (terminated_code between 0 and 4),
  failure_class text check (failure_class in ('app', 'memory', 'time', 'output', 'platform', 'submission', 'user')),
  errormsg text,
  error text,
  exit_code integer,
  exit_signal text,
  job_output text,
  constraint jobs_retry_number_once unique (root_id, retry_number),
  constraint jobs_numbers_without_gap foreign key (root_id, previous_number) references jobs (root_id, retry_number),
  constraint jobs_root_is_zero check ((retry_number = 0) = (job_id = root_id)),
  constraint jobs_ids_grow check (job_id >= root_id and superseded_by > job_id),
  constraint jobs_superseded_failed check (superseded_by is null or status in ('error', 'terminated')),
  constraint jobs_finished_has_time
    check ((status in ('completed', 'error', 'terminated')) = (finished_at is not null))
);
-- a lineage has one head, and at most one unfinished job
create unique index jobs_one_head on jobs (root_id) where superseded_by is null;
create unique index jobs_one_unfinished on jobs (root_id)
  where status not in ('completed', 'error', 'terminated');
create index jobs_waiting on jobs (scheduler, owner, job_id) where status = 'created';
create index jobs_in_batch on jobs (batch_id, job_id) where batch_id is not null;
create index jobs_heads_in_batch on jobs (batch_id, status) where batch_id is not null and superseded_by is null;
create index jobs_by_owner on jobs (owner, job_id);
create index jobs_by_status on jobs (status, job_id);
create index jobs_by_module on jobs (module, job_id);
create index jobs_by_workspace on jobs (wsid, job_id) where wsid is not null;
create index jobs_by_input on jobs (input_id);

create table dispatches (
  dispatch_id text collate "C" primary key,
  job_id text collate "C" not null references jobs,
  dispatch_number integer not null check (dispatch_number >= 1),
  scheduler text not null,
  -- which machine's local scheduler has it, and what the scheduler calls it
  scheduler_host text,
  scheduler_id text,
  opened_at timestamptz not null default now(),
  submitted_at timestamptz,
  started_at timestamptz,
  seen_at timestamptz not null default now(),
  closed_at timestamptz,
  close_reason text check (close_reason in ('finished', 'canceled', 'lost', 'rejected', 'superseded')),
  logs_received integer not null default 0,
  late_lines integer not null default 0,
  peak_memory_mb double precision,
  cpu_seconds double precision,
  constraint dispatches_number_once unique (job_id, dispatch_number),
  check ((closed_at is null) = (close_reason is null))
);
-- a job has at most one live dispatch
create unique index dispatches_one_live on dispatches (job_id) where closed_at is null;
create index dispatches_open on dispatches (scheduler, dispatch_id) where closed_at is null;

-- one row per stored append; positions of a job are consecutive from 0
create table log_counters (
  job_id text collate "C" primary key references jobs,
  line_count integer not null default 0
);
create table log_chunks (
  job_id text collate "C" not null,
  first_line integer not null,
  line_count integer not null check (line_count > 0),
  -- a JSON array of {"line", "is_error", "ts", "late"?}; ts in ms since the epoch
  lines text not null,
  primary key (job_id, first_line)
);

-- An answer that is repeated for the same request id. scope = caller + operation.
create table requests (
  request_key text collate "C" primary key,
  caller text collate "C" not null,
  operation text not null,
  -- what the client sent; null when it sent none
  request_id text,
  body_hash text not null,
  answer text not null default '',
  -- false when everything was refused: the receipts can be read, but the same request may be asked anew
  remembered boolean not null default true,
  reason text,
  created_at timestamptz not null default now(),
  constraint requests_once unique (caller, operation, request_id)
);
create index requests_by_age on requests (created_at);

create table receipts (
  request_key text collate "C" not null references requests on delete cascade,
  item integer not null,
  requested_id text not null,
  root_id text,
  retry_id text,
  retry_number integer,
  -- null = accepted
  refusal_code text,
  sentence text,
  -- the job that stands in the way, e.g. the retry in flight
  blocking_id text,
  primary key (request_key, item),
  check ((refusal_code is null) = (retry_id is not null))
);

-- Append only. (txid, event_id) is the commit-safe cursor: a reader takes rows whose transaction is older than every
-- transaction still running, so a late commit is never skipped.
create table events (
  event_id bigint generated always as identity primary key,
  txid xid8 not null default pg_current_xact_id(),
  kind text not null,
  job_id text collate "C",
  batch_id text collate "C",
  owner text collate "C" not null,
  actor text,
  at timestamptz not null default now(),
  payload text not null default '{}'
);
create index events_by_commit on events (txid, event_id);
create index events_by_job on events (job_id, txid, event_id) where job_id is not null;
create index events_by_batch on events (batch_id, txid, event_id) where batch_id is not null;
