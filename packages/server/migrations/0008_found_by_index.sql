-- What is looked up, counted or deleted by other columns than an index begins with. PostgreSQL 18 skips through such an
-- index; older ones read all of it.

set local search_path to tollgate;

-- A checkout session is asked for by its project, which need not know the account.
create index checkout_sessions_project on checkout_sessions (project_id, id);

-- A customer's payments are shown with what was given back of each.
drop index refunds_payment;
create index refunds_customer on refunds (customer_id, payment_id);
drop index disputes_payment;
create index disputes_customer on disputes (customer_id, payment_id);

-- Old notices are deleted whosever they are, and their deliveries with them.
create index notices_changed on notices (changed_at);
create index notice_deliveries_notice on notice_deliveries (notice_id);

-- What time has changed matters in projects that have endpoints. Elsewhere it is never moved on, and is not to be read
-- each minute.
drop index snapshots_next_change;
create index snapshots_next_change on snapshots (project_id, next_change_at) where next_change_at is not null;
