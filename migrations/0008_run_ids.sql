-- Which execution of a dispatch started it: a random id of the runner's. A scheduler may run a task again that it believes
-- lost, while the first one lives; null where the runner itself never begins twice.
alter table dispatches add column run_id text;
