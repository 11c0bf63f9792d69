set local search_path to tollgate;

-- Objects of Stripe's that nobody could be found for -------------------------------------------

create table parked_objects (
  id text primary key,
  connection_id text not null,
  object_type text not null,
  object_id text not null,
  status text not null check (status in ('open', 'attached', 'resolved', 'gone', 'dismissed')),
  -- Why nobody could be found, the last time that somebody looked.
  reason text not null,
  -- What helps a person to decide: Stripe customer, prices, amount. Holds no identity but a masked address.
  detail jsonb not null default '{}',
  -- Whom the evidence names: [{project_id, customer_id, external_id, evidence}].
  candidates jsonb not null default '[]',
  project_ids text[] not null default '{}',
  -- The event, run, import or session that found it first.
  found_by jsonb not null,
  tries integer not null default 1,
  first_seen_at timestamptz not null,
  last_tried_at timestamptz not null,
  settled_at timestamptz,
  -- Why it is open no more: what the mirror found out, or what the operator said.
  resolution text,
  unique (connection_id, object_type, object_id)
);
create index parked_objects_list on parked_objects (status, id desc);

-- An operator's word on whose an object is: it beats whatever else is known.
create table attachments (
  connection_id text not null,
  object_id text not null,
  project_id text not null references projects (id),
  customer_id text not null references customers (id),
  reason text not null,
  actor text not null,
  created_at timestamptz not null,
  primary key (connection_id, object_id)
);

-- Imports of a whole account --------------------------------------------------------------------

create table imports (
  id text primary key,
  project_id text not null references projects (id),
  connection_id text not null,
  dry_run boolean not null default false,
  status text not null check (status in ('queued', 'running', 'completed', 'failed')),
  -- What was asked for: {products, customer_id_from}.
  request jsonb not null,
  reason text not null,
  actor text not null,
  -- Where an import that was cut short goes on: {step, after}.
  cursor jsonb,
  counts jsonb not null default '{}',
  error text,
  created_at timestamptz not null,
  started_at timestamptz,
  heartbeat_at timestamptz,
  finished_at timestamptz
);
create unique index imports_one_at_a_time on imports (project_id) where status in ('queued', 'running');
create index imports_list on imports (id desc);

-- Who is entitled to what through an import, or would be; by the app's own ids.
create table import_gains (
  import_id text not null references imports (id),
  external_id text not null,
  feature text not null,
  primary key (import_id, external_id, feature)
);

-- What an import could attribute to nobody, or could not have.
create table import_parked (
  import_id text not null references imports (id),
  object_type text not null,
  object_id text not null,
  reason text not null,
  primary key (import_id, object_type, object_id)
);
