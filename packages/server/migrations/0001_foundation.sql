-- Tollgate's schema. All of it lives in schema "tollgate"; jobs live in "graphile_worker".

create schema if not exists tollgate;
set local search_path to tollgate;

-- Projects and their keys -----------------------------------------------------------------

create table projects (
  id text primary key,
  name text not null,
  slug text not null unique,
  connection_id text not null default 'default',
  access_policy jsonb not null,
  -- Grows with every change of features, mappings or policy; caches compare it.
  catalog_version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table api_keys (
  id text primary key,
  -- Null for an operator's key.
  project_id text references projects (id),
  kind text not null check (kind in ('secret', 'publishable', 'admin')),
  name text,
  -- SHA-256 of the whole key; the key itself is never stored.
  hash bytea not null unique,
  -- Enough to recognise a key in a list: its prefix and last four characters.
  hint text not null,
  scopes text[] not null default '{}',
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  rotated_to text references api_keys (id),
  created_at timestamptz not null default now()
);
create index api_keys_project on api_keys (project_id, id);

create table idempotency_keys (
  key_id text not null,
  method_path text not null,
  idempotency_key text not null,
  request_hash bytea not null,
  -- Null while the first request runs.
  response_status integer,
  response_headers jsonb,
  response_body text,
  locked_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  primary key (key_id, method_path, idempotency_key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

-- Catalog ---------------------------------------------------------------------------------

create table features (
  project_id text not null references projects (id),
  code text not null,
  name text not null,
  type text not null check (type in ('boolean', 'limit', 'metered')),
  aggregation text not null check (aggregation in ('max', 'sum')),
  description text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (project_id, code)
);

create table products (
  id text primary key,
  project_id text not null references projects (id),
  name text not null,
  description text,
  active boolean not null default true,
  deleted boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index products_project on products (project_id, id);

create table prices (
  id text primary key,
  project_id text not null references projects (id),
  product_id text not null references products (id),
  currency text not null,
  unit_amount bigint,
  recurring_interval text,
  recurring_interval_count integer,
  usage_type text,
  nickname text,
  -- As the app wrote it; Stripe has it prefixed with the project's id.
  lookup_key text,
  active boolean not null default true,
  deleted boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index prices_project on prices (project_id, id);
create index prices_product on prices (product_id);
create unique index prices_lookup_key on prices (project_id, lookup_key) where lookup_key is not null and not deleted;

create table mappings (
  project_id text not null,
  owner_type text not null check (owner_type in ('product', 'price')),
  owner_id text not null,
  code text not null,
  value bigint,
  unlimited boolean not null default false,
  per_unit boolean not null default false,
  access_days integer,
  primary key (owner_type, owner_id, code),
  foreign key (project_id, code) references features (project_id, code)
);
create index mappings_project on mappings (project_id);

-- Customers -------------------------------------------------------------------------------

create table customers (
  id text primary key,
  project_id text not null references projects (id),
  -- The app's own id for the customer.
  external_id text not null,
  email text,
  name text,
  connection_id text not null default 'default',
  stripe_customer_id text,
  -- Grows each time that a deleted Stripe customer has to be replaced.
  stripe_generation integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, external_id)
);
create unique index customers_stripe on customers (connection_id, project_id, stripe_customer_id) where stripe_customer_id is not null;
create index customers_by_stripe_id on customers (stripe_customer_id) where stripe_customer_id is not null;
create index customers_list on customers (project_id, id);

-- Facts: the current ones, and every version there ever was ---------------------------------

create table facts (
  project_id text not null,
  customer_id text not null references customers (id),
  kind text not null check (kind in ('subscription', 'purchase', 'grant')),
  object_id text not null,
  -- Sequence number of the fetch that brought this state (0 for grants).
  sequence bigint not null default 0,
  body jsonb not null,
  recorded_at timestamptz not null,
  primary key (kind, object_id, project_id)
);
create index facts_customer on facts (customer_id);
create index facts_project_kind on facts (project_id, kind, object_id);

create table fact_versions (
  id bigint generated always as identity primary key,
  project_id text not null,
  customer_id text not null,
  kind text not null,
  object_id text not null,
  sequence bigint not null,
  body jsonb not null,
  cause jsonb not null,
  recorded_at timestamptz not null
);
create index fact_versions_object on fact_versions (kind, object_id, id);
create index fact_versions_customer on fact_versions (customer_id, recorded_at);

-- Stripe object -> order of its fetches. A number is taken before the fetch; a state is applied only if its number is
-- higher than the applied one.
create table object_sequences (
  connection_id text not null,
  object_id text not null,
  issued bigint not null default 0,
  applied bigint not null default 0,
  applied_at timestamptz,
  primary key (connection_id, object_id)
);

-- Which payment belongs to which purchase, and what became of it.
create table payments (
  connection_id text not null,
  -- Business key: the payment intent, or the checkout session when nothing had to be paid.
  id text not null,
  project_id text not null,
  customer_id text not null references customers (id),
  checkout_session_id text,
  charge_id text,
  invoice_id text,
  subscription_id text,
  created_at timestamptz not null default now(),
  primary key (connection_id, id)
);
create index payments_charge on payments (charge_id) where charge_id is not null;
create index payments_checkout_session on payments (checkout_session_id) where checkout_session_id is not null;

-- Snapshots -------------------------------------------------------------------------------

create table snapshots (
  project_id text not null,
  external_id text not null,
  customer_id text not null references customers (id),
  version bigint not null,
  body jsonb not null,
  recorded_at timestamptz not null,
  primary key (project_id, external_id)
);

create table snapshot_versions (
  customer_id text not null references customers (id),
  version bigint not null,
  project_id text not null,
  body jsonb not null,
  cause jsonb not null,
  changes jsonb not null,
  recorded_at timestamptz not null,
  primary key (customer_id, version)
);
create index snapshot_versions_time on snapshot_versions (customer_id, recorded_at);

-- Grants and audit --------------------------------------------------------------------------

create table grants (
  id text primary key,
  project_id text not null references projects (id),
  customer_id text not null references customers (id),
  feature text not null,
  effect text not null check (effect in ('allow', 'deny')),
  value bigint,
  unlimited boolean not null default false,
  valid_from timestamptz not null,
  valid_to timestamptz,
  reason text not null,
  actor text not null,
  created_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by text,
  revoke_reason text
);
create index grants_customer on grants (customer_id, id);

create table audit_entries (
  -- Order of the chain; `id` is what the API shows.
  position bigint generated always as identity primary key,
  id text not null unique,
  recorded_at timestamptz not null,
  actor text not null,
  key_id text,
  action text not null,
  project_id text,
  -- Tollgate's own cust_… id: identity lives in `customers` alone.
  customer_id text,
  reason text,
  request_id text,
  detail jsonb not null default '{}',
  -- SHA-256 over the entry and the previous hash: a changed or removed entry breaks the chain.
  previous_hash bytea,
  hash bytea not null
);
create index audit_entries_project on audit_entries (project_id, position desc);
create index audit_entries_customer on audit_entries (customer_id, position desc);

create function forbid_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger audit_entries_append_only before update or delete or truncate on audit_entries
  for each statement execute function forbid_change();

-- Inbox -----------------------------------------------------------------------------------

create table events (
  connection_id text not null,
  id text not null,
  type text not null,
  api_version text,
  livemode boolean not null,
  -- The object that the event speaks of.
  object_type text,
  object_id text,
  -- Every other id of Stripe's in the payload: when one of them appears here, a parked event is worth another try.
  related_ids text[] not null default '{}',
  payload jsonb not null,
  status text not null check (status in ('received', 'processed', 'ignored', 'parked', 'failed', 'dead')),
  -- Why it is ignored, parked, failed or dead.
  reason text,
  attempts integer not null default 0,
  created_at timestamptz not null,
  received_at timestamptz not null,
  processed_at timestamptz,
  last_attempt_at timestamptz,
  -- By the database's clock, as jobs are; null once nothing more is going to happen by itself.
  next_attempt_at timestamptz,
  primary key (connection_id, id)
);
create index events_status on events (status, received_at desc);
create index events_type on events (type, received_at desc);
create index events_received on events (received_at desc, id desc);
create index events_object on events (connection_id, object_id);
create index events_due on events (next_attempt_at) where next_attempt_at is not null;
create index events_waiting_for on events using gin (related_ids) where status in ('received', 'failed', 'parked');

-- Checkout --------------------------------------------------------------------------------

create table checkout_sessions (
  id text primary key,
  connection_id text not null default 'default',
  project_id text not null references projects (id),
  customer_id text not null references customers (id),
  mode text not null,
  url text,
  status text not null,
  payment_status text not null,
  price_ids text[] not null,
  -- Whether the purchase has been applied through the mirror.
  applied boolean not null default false,
  expires_at timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index checkout_sessions_open on checkout_sessions (customer_id) where status = 'open';

-- Whose turn it is to make a session for a customer. A turn ends by itself, so that a process that died holds up nobody.
create table checkout_turns (
  customer_id text primary key references customers (id),
  holder text not null,
  ends_at timestamptz not null
);

create table portal_configurations (
  project_id text primary key references projects (id),
  configuration_id text not null,
  -- Hash of what it was made from: another catalog makes a new one.
  fingerprint text not null,
  updated_at timestamptz not null
);

create table trials (
  customer_id text not null references customers (id),
  product_id text not null,
  subscription_id text not null,
  started_at timestamptz not null,
  primary key (customer_id, product_id)
);

-- Recomputation of many customers, with progress ---------------------------------------------

create table recomputations (
  id text primary key,
  project_id text not null references projects (id),
  cause jsonb not null,
  status text not null check (status in ('queued', 'running', 'completed')),
  total integer,
  done integer not null default 0,
  changed integer not null default 0,
  -- The last customer handled: the job resumes after it.
  cursor text,
  created_at timestamptz not null,
  finished_at timestamptz
);

-- Reconciliation ----------------------------------------------------------------------------

create table reconciliation_runs (
  id text primary key,
  project_id text references projects (id),
  customer_id text references customers (id),
  dry_run boolean not null default false,
  status text not null check (status in ('queued', 'running', 'completed', 'failed')),
  trigger text not null check (trigger in ('manual', 'schedule')),
  -- Where a run that was cut short goes on: {step, starting_after}.
  cursor jsonb,
  counts jsonb not null default '{}',
  error text,
  created_at timestamptz not null,
  started_at timestamptz,
  heartbeat_at timestamptz,
  finished_at timestamptz
);
create unique index reconciliation_runs_one_at_a_time
  on reconciliation_runs (coalesce(project_id, ''), coalesce(customer_id, '')) where status in ('queued', 'running');
create index reconciliation_runs_list on reconciliation_runs (id desc);

create table drifts (
  id text primary key,
  run_id text not null references reconciliation_runs (id),
  project_id text,
  customer_id text,
  kind text not null,
  object_type text not null,
  object_id text not null,
  cause text not null,
  action text not null,
  -- Why it could not be repaired.
  detail text,
  -- Field by field: [{field, before, after}].
  fields jsonb not null default '[]',
  detected_at timestamptz not null
);
create index drifts_run on drifts (run_id, id);
-- A page that is gone through again after an interruption records nothing twice.
create unique index drifts_once on drifts (run_id, object_type, object_id);

-- What a run has met in Stripe's lists so far: the rest of what is stored is asked for one by one. Emptied at its end.
create table reconciliation_seen (
  run_id text not null references reconciliation_runs (id),
  object_type text not null,
  object_id text not null,
  primary key (run_id, object_type, object_id)
);
