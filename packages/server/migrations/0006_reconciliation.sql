-- When each stored object was last looked at in Stripe: tells a run what it has not met in any list, and the continuous
-- check what has waited longest. It outlives the runs, so that nothing is written and deleted again each night.
drop table tollgate.reconciliation_seen;
create table tollgate.reconciliation_seen (
  connection_id text not null,
  object_type text not null,
  object_id text not null,
  -- By the database's clock: runs of several processes compare it.
  seen_at timestamptz not null default now(),
  primary key (connection_id, object_type, object_id)
);
create index reconciliation_seen_oldest on tollgate.reconciliation_seen (seen_at);

alter table tollgate.reconciliation_runs
  -- By the database's clock: what was seen before then has not been met by this run.
  add column seen_since timestamptz,
  -- How many objects there are to look at, as far as they were known at the start.
  add column expected integer,
  -- More differed than happens by itself.
  add column alert boolean not null default false,
  drop constraint reconciliation_runs_trigger_check,
  add constraint reconciliation_runs_trigger_check check (trigger in ('manual', 'schedule', 'continuous'));
drop index tollgate.reconciliation_runs_one_at_a_time;
create unique index reconciliation_runs_one_at_a_time on tollgate.reconciliation_runs
  (coalesce(project_id, ''), coalesce(customer_id, '')) where status in ('queued', 'running') and trigger <> 'continuous';

alter table tollgate.drifts
  -- The earliest moment at which it can have arisen; null: unknown.
  add column arose_at timestamptz;
update tollgate.drifts set action = 'needs_person' where action = 'failed';
create index drifts_detected on tollgate.drifts (detected_at);

alter table tollgate.events
  -- `listed`: it never came as a webhook, and was found in Stripe's own list of events.
  add column source text not null default 'webhook' check (source in ('webhook', 'listed'));
create index events_undelivered on tollgate.events (received_at) where source = 'listed';
-- Up to when Stripe's list of events has been looked through.
create table tollgate.events_listed (
  connection_id text primary key,
  until timestamptz not null
);
