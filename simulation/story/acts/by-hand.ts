/** Colleagues do things in Stripe's dashboard that the service did not ask for. */
import { type Act, choose, describe, recurring, refused, stripeCustomers } from '../act.ts';
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
  const { universe } = act;
  const [customer] = stripeCustomers(act);
  if (customer === undefined) return null;
  const price = choose(act, recurring(act));
  const made = atStripe(universe, 'POST', '/subscriptions', { customer, items: [{ price: price.id }] });
  return made === null ? null : `gets ${describe(act, price)} by hand (${made.id})`;
}

/** Somebody is sold something in the dashboard, and nobody says who that is to the app. */
export function sellToNobody(act: Act): string | null {
  const { universe, ownerless, project } = act;
  const customer = payingCustomer(act, 'somebody@example.com');
  const price = choose(act, recurring(act));
  const made = atStripe(universe, 'POST', '/subscriptions', { customer, items: [{ price: price.id }] });
  // Nobody buys what was taken out of the catalog.
  if (made === null) return null;
  ownerless.push({ subscription: made.id, customer, project: project.id });
  return `${customer}, whom nobody knows, gets ${describe(act, price)} by hand (${made.id})`;
}

/** An operator finds out who that was. */
export async function attach(act: Act): Promise<string | null> {
  const { universe, ledger, ownerless, person } = act;
  const at = ownerless.findIndex(({ project }) => project === person.project);
  const found = ownerless[at];
  if (found === undefined) return null;
  ownerless.splice(at, 1);
  const { subscription, customer } = found;
  const listed = await universe.ask('GET', `/admin/parked?object_id=${subscription}`);
  const [parked] = listed.body.data;
  if (parked === undefined) {
    ownerless.push(found);
    return null;
  }
  ledger.attach(subscription, customer, person);
  const body = { project_id: person.project, customer_id: person.customer, reason: 'The story says so' };
  const answer = await universe.ask('POST', `/admin/parked/${parked.id}/attach`, { body });
  if (answer.status === 200) return `is given ${subscription} of ${customer}`;
  ledger.detach(subscription);
  ownerless.push(found);
  return refused('attach', answer);
}

/** A Stripe customer that somebody made by hand becomes this customer's, with what it has. */
export async function linkByHand(act: Act): Promise<string | null> {
  const { universe, ledger, ownerless, person, project } = act;
  if (stripeCustomers(act).length > 0) return null;
  const customer = payingCustomer(act, `${person.customer}@example.com`);
  const price = choose(act, recurring(act));
  const subscription = atStripe(universe, 'POST', '/subscriptions', { customer, items: [{ price: price.id }] });
  // From the moment of asking on the service may know.
  ledger.owners.set(customer, person);
  const answer = await universe.ask('PUT', `/customers/${encodeURIComponent(person.customer)}`, {
    key: project.key,
    body: { stripe_customer_id: customer },
  });
  if (answer.status >= 300) {
    ledger.owners.delete(customer);
    // They have become somebody else's meanwhile, and what this one was sold is nobody's.
    if (subscription !== null) ownerless.push({ subscription: subscription.id, customer, project: project.id });
    return refused('link', answer);
  }
  return `is linked to ${customer}, which has ${describe(act, price)}`;
}

function payingCustomer({ universe }: Act, email: string): string {
  const { id: customer } = atStripe(universe, 'POST', '/customers', { email });
  const card = atStripe(universe, 'POST', '/payment_methods/pm_card_visa/attach', { customer });
  atStripe(universe, 'POST', `/customers/${customer}`, { invoice_settings: { default_payment_method: card.id } });
  return customer;
}
