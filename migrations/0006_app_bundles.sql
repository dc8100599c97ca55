-- The commits of apps as git bundles, so that every server can make the mirrors that another server made at `app add`. Each
-- holds what those before it of its module do not; applied in their order they give them all. A commit without a bundle of
-- its own is in the history of one that has.
create table app_bundles (
  bundle_id bigint generated always as identity primary key,
  module text collate "C" not null,
  app_commit text collate "C" not null,
  constraint app_bundles_once unique (module, app_commit),
  foreign key (module, app_commit) references app_versions (module, app_commit)
);
create table app_bundle_parts (
  bundle_id bigint not null references app_bundles,
  part integer not null,
  bytes bytea not null,
  primary key (bundle_id, part)
);
-- git has compressed them already
alter table app_bundle_parts alter column bytes set storage external;
