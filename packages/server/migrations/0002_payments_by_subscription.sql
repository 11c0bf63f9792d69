-- A refund of a subscription's invoice asks what was bought beside the subscription: found without reading every payment.
create index payments_subscription on tollgate.payments (connection_id, subscription_id) where subscription_id is not null;
