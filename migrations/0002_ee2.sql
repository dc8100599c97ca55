-- What EE2's clients ask of a job beyond resources: a JSON object, see SchedulerOptions.
alter table jobs add column scheduler_options text not null default '{}';

-- An abandoned job runs on and keeps its batch, but is none of the batch's items any more.
alter table jobs add column abandoned_at timestamptz;

-- held jobs are reported by the name that the scheduler gave them
create index dispatches_by_scheduler_id on dispatches (scheduler_id) where scheduler_id is not null;
