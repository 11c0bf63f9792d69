-- What has served its time is found by when it ended. Events are found by `events_received`.
create index reconciliation_runs_ended on tollgate.reconciliation_runs (finished_at) where status in ('completed', 'failed');
-- Whether a later one of the same scope was completed.
create index reconciliation_runs_scope on tollgate.reconciliation_runs
  (coalesce(project_id, ''), coalesce(customer_id, ''), id) where status = 'completed';
create index recomputations_ended on tollgate.recomputations (finished_at) where status = 'completed';
