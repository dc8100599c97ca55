-- False: not our runner carries the dispatch out, but somebody else's, who calls the API with a user's token.
alter table dispatches add column own_runner boolean not null default true;

-- What such a runner calls with: the token of who submitted or retried the job, sealed (AES-256-GCM). Gone with the
-- job's end, in the same statement.
create table job_tokens (
  job_id text collate "C" primary key references jobs,
  sealed bytea not null
);

-- How far the record was passed on to a service outside, and which server is doing it.
create table relays (
  relay_name text primary key,
  txid xid8 not null,
  event_id bigint not null,
  claimed_by text,
  claimed_until timestamptz not null default now()
);
