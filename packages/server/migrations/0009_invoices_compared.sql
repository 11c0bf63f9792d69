-- The ledger is compared with Stripe's paid invoices: with all of them once, and then with those that are new. An older one
-- that was still owed is kept in reconciliation_seen until it is not.
create table tollgate.invoices_compared (
  connection_id text primary key,
  -- Every invoice that was made before then has been compared, or is remembered as owed.
  until timestamptz not null
);
