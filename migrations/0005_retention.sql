-- Lines that retention has removed from the beginning of a job's log: positions of the rest stay what they were.
alter table log_counters add column removed_lines integer not null default 0;
-- logs that have something left to remove
create index log_counters_kept on log_counters (job_id) where removed_lines < line_count;

-- How far retention has removed events: of jobs and batches that ended before that, some or all are gone.
create table event_horizon (
  only_one boolean primary key default true check (only_one),
  removed_before timestamptz not null
);
