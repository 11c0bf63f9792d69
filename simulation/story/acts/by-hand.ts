/** Colleagues do things in Stripe's dashboard that the service did not ask for. */
import { type Act, choose, describe, refused, stripeCustomers } from '../act.ts';
import { atStripe } from '../stage.ts';

export function deleteCustomer(act: Act): string | null {
  const [customer] = stripeCustomers(act);
  if (customer === undefined) return null;
  return atStripe(act.universe, 'DELETE', `/customers/${customer}`) === null
    ? null
    : `is deleted in Stripe (${customer})`;
}

/** A colleague makes a subscription in the dashboard, without any mark. */
export function subscribeByHand(act: Act): string | null {
  const { universe, project } = act;
  const [customer] = stripeCustomers(act);
  if (customer === undefined) return null;
  const price = choose(
    act,
    project.prices.filter(({ interval }) => interval !== null),
  );
  const made = atStripe(universe, 'POST', '/subscriptions', { customer, items: [{ price: price.id }] });
  return made === null ? null : `gets ${describe(act, price)} by hand (${made.id})`;
}

/** A Stripe customer that somebody made by hand becomes this customer's, with what it has. */
export async function linkByHand(act: Act): Promise<string | null> {
  const { universe, ledger, person, project } = act;
  if (stripeCustomers(act).length > 0) return null;
  const customer = atStripe(universe, 'POST', '/customers', { email: `${person.customer}@example.com` });
  const card = atStripe(universe, 'POST', '/payment_methods/pm_card_visa/attach', { customer: customer.id });
  atStripe(universe, 'POST', `/customers/${customer.id}`, { invoice_settings: { default_payment_method: card.id } });
  const price = choose(
    act,
    project.prices.filter(({ interval }) => interval !== null),
  );
  atStripe(universe, 'POST', '/subscriptions', { customer: customer.id, items: [{ price: price.id }] });
  // From the moment of asking on the service may know.
  ledger.owners.set(customer.id, person);
  const answer = await universe.ask('PUT', `/customers/${encodeURIComponent(person.customer)}`, {
    key: project.key,
    body: { stripe_customer_id: customer.id },
  });
  if (answer.status >= 300) {
    ledger.owners.delete(customer.id);
    return refused('link', answer);
  }
  return `is linked to ${customer.id}, which has ${describe(act, price)}`;
}
