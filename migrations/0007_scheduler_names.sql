-- What a scheduler's own record of a dispatch is called, where that is not the dispatch's id: recorded before the dispatch is
-- handed over, so that a submission whose answer was lost is found by it.
alter table dispatches add column scheduler_name text;
