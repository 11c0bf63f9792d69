-- Payments, refunds and disputes as a ledger, each under Stripe's own id.

set local search_path to tollgate;

-- The payment of a subscription's invoice that was refunded or disputed is a fact too.
alter table facts drop constraint facts_kind_check;
alter table facts add constraint facts_kind_check
  check (kind in ('subscription', 'purchase', 'invoice_payment', 'grant'));

update projects set access_policy = '{"trial": "grant"}'::jsonb || access_policy;

alter table payments
  add column status text check (status in ('paid', 'pending', 'failed')),
  add column currency text,
  -- Integer minor units.
  add column amount bigint,
  add column paid_at timestamptz,
  -- What an invoice paid for; null for a purchase.
  add column period_start timestamptz,
  add column period_end timestamptz,
  -- What was sold: [{price, product, quantity}].
  add column lines jsonb not null default '[]';

update payments
   set status = fact.body ->> 'status',
       currency = fact.body ->> 'currency',
       amount = (fact.body ->> 'amountMinor')::bigint,
       paid_at = to_timestamp((fact.body ->> 'paidAt')::numeric / 1000),
       lines = coalesce(
         (select jsonb_agg(jsonb_build_object(
             'price', line ->> 'priceId', 'product', line ->> 'productId', 'quantity', line -> 'quantity'))
            from jsonb_array_elements(fact.body -> 'lines') as line),
         '[]')
  from facts as fact
 where fact.kind = 'purchase' and fact.object_id = payments.id and fact.project_id = payments.project_id;
-- Of the payments of invoices nothing was kept but their ids: the next look at their subscription brings the latest.
delete from payments where amount is null;

alter table payments
  alter column status set not null,
  alter column currency set not null,
  alter column amount set not null;

create index payments_customer on payments (customer_id, created_at desc, id desc);

create table refunds (
  connection_id text not null,
  -- Stripe's re_…
  id text not null,
  payment_id text not null,
  project_id text not null,
  customer_id text not null references customers (id),
  currency text not null,
  amount bigint not null,
  -- Stripe's status, and why it was given back, as they came.
  status text,
  reason text,
  created_at timestamptz not null,
  primary key (connection_id, id)
);
create index refunds_payment on refunds (connection_id, payment_id);

create table disputes (
  connection_id text not null,
  -- Stripe's dp_…
  id text not null,
  payment_id text not null,
  project_id text not null,
  customer_id text not null references customers (id),
  currency text not null,
  amount bigint not null,
  status text not null,
  reason text,
  created_at timestamptz not null,
  primary key (connection_id, id)
);
create index disputes_payment on disputes (connection_id, payment_id);
