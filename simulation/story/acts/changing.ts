/** Somebody changes, ends or takes up again what they have, in the portal or with a colleague in the dashboard. */
import { type Act, choose, describe, pickSubscription, stripeCustomers, subscriptions } from '../act.ts';
import { atStripe } from '../stage.ts';

export function changePlan(act: Act): string | null {
  const { universe, project, random } = act;
  const sub = pickSubscription(act);
  const item = sub?.items.data[0];
  if (sub === undefined || item === undefined) return null;
  const recurring = project.prices.filter(({ interval }) => interval !== null);
  const current = recurring.find(({ id }) => id === item.price.id);
  const price = act.operation.kind === 'change_plan' || current === undefined ? choose(act, recurring) : current;
  const proration = random.pick(['create_prorations', 'always_invoice', 'none']);
  const form = {
    items: [{ id: item.id, price: price.id, quantity: price.byQuantity ? 1 + random.below(6) : 1 }],
    proration_behavior: proration,
  };
  const done = atStripe(universe, 'POST', `/subscriptions/${sub.id}`, form);
  return done === null
    ? null
    : `switches ${sub.id} to ${describe(act, price)} × ${form.items[0]?.quantity} (${proration})`;
}

export function update(act: Act, form: Parameters<typeof atStripe>[3], what: string): string | null {
  const sub = pickSubscription(act);
  if (sub === undefined) return null;
  const done = atStripe(act.universe, 'POST', `/subscriptions/${sub.id}`, form);
  return done === null ? null : `${what}: ${sub.id}`;
}

export function cancelAt(act: Act): string | null {
  const seconds = Math.floor(act.universe.now / 1000) + 86_400 * (1 + act.random.below(70));
  return update(act, { cancel_at: seconds }, 'cancels at a date');
}

export function cancelNow(act: Act): string | null {
  const sub = pickSubscription(act);
  if (sub === undefined) return null;
  return atStripe(act.universe, 'DELETE', `/subscriptions/${sub.id}`) === null ? null : `cancels ${sub.id} at once`;
}

export function changeCard(act: Act, method: string): string | null {
  const { universe } = act;
  const [customer] = stripeCustomers(act);
  if (customer === undefined) return null;
  const card = atStripe(universe, 'POST', `/payment_methods/${method}/attach`, { customer });
  if (card === null) return null;
  atStripe(universe, 'POST', `/customers/${customer}`, { invoice_settings: { default_payment_method: card.id } });
  for (const sub of subscriptions(act)) {
    if (sub.default_payment_method === null) continue;
    atStripe(universe, 'POST', `/subscriptions/${sub.id}`, { default_payment_method: card.id });
  }
  if (method !== 'pm_card_visa') return 'changes to a card that will not pay';
  const open = universe.world.store
    .all('invoice', { key: 'customer', value: customer })
    .filter(({ status }) => status === 'open');
  for (const { id } of [...open]) atStripe(universe, 'POST', `/invoices/${id}/pay`);
  return `changes to a good card and pays ${open.length} open invoices`;
}
