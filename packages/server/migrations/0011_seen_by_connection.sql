-- What has waited longest to be looked at is picked for each connection by itself.
drop index tollgate.reconciliation_seen_oldest;
create index reconciliation_seen_oldest on tollgate.reconciliation_seen (connection_id, seen_at);
