-- A payment that paid for several subscriptions counts for everybody who has one of them. There are hardly any, and whoever
-- loads a customer's facts asks for them.
create index facts_shared on tollgate.facts (object_id)
  where kind = 'invoice_payment' and body @? '$.lines[*] ? (@.subscriptionId != $.lines[0].subscriptionId)';
