-- A Stripe customer that was deleted is linked to nobody again: what was fetched before may be saved after.
alter table tollgate.object_sequences add column deleted_at timestamptz;
