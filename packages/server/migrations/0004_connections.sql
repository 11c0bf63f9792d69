-- Several Stripe accounts. Ids of Stripe's are unique within an account only: a product that is copied from test to live
-- mode keeps its id, and accounts choose ids themselves.

-- An account in one mode, with what is needed to speak with it. The one from the environment has a row too, so that the
-- account that it was first seen to be of is known.
create table tollgate.connections (
  id text primary key,
  name text,
  origin text not null check (origin in ('environment', 'stored')),
  livemode boolean not null,
  -- Stripe's `acct_…`; null as long as no key could tell.
  account_id text,
  -- Whether the present key was seen to be of that account.
  account_verified boolean not null default false,
  api_base text,
  -- Sealed (AES-256-GCM); null for the one from the environment, and once disabled.
  secret_key text,
  -- Enough to recognise the key: its prefix and last four characters.
  secret_key_hint text,
  -- The endpoint that was made for it in Stripe: `we_…`.
  webhook_endpoint_id text,
  webhook_url text,
  disabled_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

create table tollgate.connection_webhook_secrets (
  id text primary key,
  connection_id text not null references tollgate.connections (id),
  -- Sealed.
  secret text not null,
  hint text not null,
  -- Set on a secret whose endpoint was replaced: what it still sent is accepted until then.
  expires_at timestamptz,
  created_at timestamptz not null
);
create index connection_webhook_secrets_connection on tollgate.connection_webhook_secrets (connection_id, id);

-- Catalog: a product belongs to one project of its connection.
alter table tollgate.products add column connection_id text not null default 'default';
alter table tollgate.prices add column connection_id text not null default 'default';
update tollgate.products as product set connection_id = project.connection_id
  from tollgate.projects as project where project.id = product.project_id and project.connection_id <> 'default';
update tollgate.prices as price set connection_id = project.connection_id
  from tollgate.projects as project where project.id = price.project_id and project.connection_id <> 'default';
alter table tollgate.prices drop constraint prices_product_id_fkey;
alter table tollgate.products drop constraint products_pkey, add primary key (connection_id, id);
alter table tollgate.prices drop constraint prices_pkey, add primary key (connection_id, id),
  add foreign key (connection_id, product_id) references tollgate.products (connection_id, id);
drop index tollgate.prices_product;
create index prices_product on tollgate.prices (connection_id, product_id);
alter table tollgate.mappings drop constraint mappings_pkey, add primary key (project_id, owner_type, owner_id, code);
drop index tollgate.mappings_project;

-- Checkout
alter table tollgate.checkout_sessions drop constraint checkout_sessions_pkey, add primary key (connection_id, id);

-- Reconciliation: what was met in one account says nothing about another's.
alter table tollgate.drifts add column connection_id text not null default 'default';
drop index tollgate.drifts_once;
create unique index drifts_once on tollgate.drifts (run_id, connection_id, object_type, object_id);
alter table tollgate.reconciliation_seen add column connection_id text not null default 'default';
alter table tollgate.reconciliation_seen drop constraint reconciliation_seen_pkey,
  add primary key (run_id, connection_id, object_type, object_id);
