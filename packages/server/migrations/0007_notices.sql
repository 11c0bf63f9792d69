-- Outbound notices: apps are told when a customer's entitlements change.

set local search_path to tollgate;

create table webhook_endpoints (
  id text primary key,
  project_id text not null references projects (id),
  url text not null,
  description text,
  status text not null check (status in ('enabled', 'disabled')),
  -- Why it is disabled: by somebody, because it said that it is gone, or because nothing arrived for days.
  disabled_reason text check (disabled_reason in ('requested', 'gone', 'failing')),
  -- Signing secrets, sealed, newest first: [{sealed, expires_at}]. Each notice is signed with all that hold.
  secrets jsonb not null,
  -- Of deliveries, by the real clock. Since when nothing has arrived; null while notices arrive.
  failing_since timestamptz,
  -- Until then nothing is sent to it.
  retry_at timestamptz,
  last_delivered_at timestamptz,
  last_error text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz
);
create index webhook_endpoints_project on webhook_endpoints (project_id, id) where deleted_at is null;

-- What there is to tell: written in the transaction of the snapshot. What it says is worked out from the version that it
-- names, at the moment that it names, so that it says the same however often it is sent.
create table notices (
  id text primary key,
  project_id text not null,
  customer_id text not null references customers (id),
  -- Order within the customer, without gaps.
  sequence bigint not null,
  version bigint not null,
  changed_at timestamptz not null,
  cause jsonb not null,
  changes jsonb not null,
  unique (customer_id, sequence)
);
create index notices_time on notices (project_id, changed_at);

create table notice_deliveries (
  endpoint_id text not null references webhook_endpoints (id),
  notice_id text not null references notices (id) on delete cascade,
  customer_id text not null,
  sequence bigint not null,
  status text not null check (status in ('pending', 'delivered')),
  attempts integer not null default 0,
  -- By the real clock, as jobs are.
  next_attempt_at timestamptz not null,
  last_attempt_at timestamptz,
  -- Of the last attempt: the answer's status, or why there was none.
  response_status integer,
  error text,
  primary key (endpoint_id, notice_id)
);
create index notice_deliveries_pending on notice_deliveries (endpoint_id, customer_id, sequence) where status = 'pending';

-- How many notices there were about the customer, and when time alone changes something next.
alter table snapshots add column notices bigint not null default 0;
alter table snapshots add column next_change_at timestamptz;
create index snapshots_next_change on snapshots (next_change_at) where next_change_at is not null;
-- Each is looked at once.
update snapshots set next_change_at = now();
