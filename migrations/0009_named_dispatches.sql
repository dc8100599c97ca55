-- Open dispatches by what their scheduler calls them: a task of an array goes on with another dispatch of that array.
create index dispatches_named on dispatches (scheduler_name collate "C")
  where closed_at is null and scheduler_name is not null;
