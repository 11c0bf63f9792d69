/** Somebody changes, ends or takes up again what they have, in the portal or with a colleague in the dashboard. */
import type { Subscription } from '../../../packages/stripe-sandbox/src/model.ts';
import { sleep } from '../../virtual/time.ts';
import { type Act, choose, describe, pickSubscription, recurring, stripeCustomers, subscriptions } from '../act.ts';
import { atStripe, type Price } from '../stage.ts';

export function changePlan(act: Act): string | null {
  const { universe, random } = act;
  const sub = pickSubscription(act);
  const item = sub === undefined ? undefined : random.pick(sub.items.data);
  if (sub === undefined || item === undefined) return null;
  const current = recurring(act).find(({ id }) => id === item.price.id);
  const price = act.operation.kind === 'change_plan' || current === undefined ? another(act, sub) : current;
  if (price === undefined) return null;
  const proration = random.pick(PRORATIONS);
  const form = {
    items: [{ id: item.id, price: price.id, quantity: price.byQuantity ? 1 + random.below(6) : 1 }],
    proration_behavior: proration,
  };
  const done = atStripe(universe, 'POST', `/subscriptions/${sub.id}`, form);
  return done === null
    ? null
    : `switches ${sub.id} to ${describe(act, price)} × ${form.items[0]?.quantity} (${proration})`;
}

/** In the dashboard: a portal sells one thing at a time. */
export function addItem(act: Act): string | null {
  const { universe, random } = act;
  const sub = pickSubscription(act);
  const price = sub === undefined ? undefined : fitting(act, sub);
  if (sub === undefined || price === undefined) return null;
  const proration = random.pick(PRORATIONS);
  const form = {
    subscription: sub.id,
    price: price.id,
    quantity: price.byQuantity ? 1 + random.below(4) : 1,
    proration_behavior: proration,
  };
  const done = atStripe(universe, 'POST', '/subscription_items', form);
  return done === null ? null : `gets ${describe(act, price)} added to ${sub.id} (${proration})`;
}

export function removeItem(act: Act): string | null {
  const { universe, random } = act;
  const several = subscriptions(act).filter(({ items }) => items.data.length > 1);
  if (several.length === 0) return null;
  const sub = random.pick(several);
  const item = random.pick(sub.items.data);
  const form = { items: [{ id: item.id, deleted: true }], proration_behavior: random.pick(PRORATIONS) };
  const done = atStripe(universe, 'POST', `/subscriptions/${sub.id}`, form);
  return done === null ? null : `has ${item.price.id} taken out of ${sub.id}`;
}

const PRORATIONS = ['create_prorations', 'always_invoice', 'none'];

/** One of several items keeps the interval of the others. */
function another(act: Act, sub: Subscription): Price | undefined {
  return sub.items.data.length === 1 ? choose(act, recurring(act)) : fitting(act, sub);
}

/** Something that is billed together with what is there, and is not there yet. */
function fitting(act: Act, sub: Subscription): Price | undefined {
  const interval = sub.items.data[0]?.price.recurring?.interval;
  const there = new Set(sub.items.data.map(({ price }) => price.id));
  const prices = recurring(act).filter((price) => price.interval === interval && !there.has(price.id));
  return prices.length === 0 ? undefined : act.random.pick(prices);
}

/** A discount in the dashboard; it takes the place of the one before. */
export function discount(act: Act): string | null {
  const { universe, random } = act;
  const sub = pickSubscription(act);
  if (sub === undefined) return null;
  const off = random.chance(0.6)
    ? { percent_off: random.pick([5, 20, 33, 50, 100]) }
    : { amount_off: random.pick([150, 999, 20_000]), currency: 'usd' };
  const duration = random.weighted({ forever: 5, once: 2, repeating: 2 });
  const months = duration === 'repeating' ? { duration_in_months: 1 + random.below(3) } : {};
  const coupon = atStripe(universe, 'POST', '/coupons', { ...off, duration, ...months });
  const done = atStripe(universe, 'POST', `/subscriptions/${sub.id}`, { discounts: [{ coupon: coupon.id }] });
  return done === null ? null : `gets ${JSON.stringify(off)} off ${sub.id}, ${duration}`;
}

export function endDiscount(act: Act): string | null {
  const sub = pickSubscription(act);
  if (sub === undefined || sub.discounts.length === 0) return null;
  const done = atStripe(act.universe, 'DELETE', `/subscriptions/${sub.id}/discount`);
  return done === null ? null : `has no discount on ${sub.id} any more`;
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

const TRIED_OUT: readonly ((act: Act) => string | null)[] = [
  changePlan,
  cancelAt,
  (act) => update(act, { cancel_at_period_end: true }, 'cancels at the end of the period'),
  (act) => update(act, { cancel_at_period_end: false }, 'takes the cancellation back'),
  (act) => update(act, { pause_collection: { behavior: 'void' } }, 'has the collection paused'),
  (act) => update(act, { pause_collection: '' }, 'has the collection resumed'),
  cancelNow,
];

/** Tries things out in the portal, one after the other, faster than the service may follow. */
export async function changeMind(act: Act): Promise<string | null> {
  const { random } = act;
  const tried = [random.pick(TRIED_OUT)(act)];
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    await sleep(1 + random.below(6_000));
    tried.push(random.pick(TRIED_OUT)(act));
  }
  const done = tried.filter((what) => what !== null);
  return done.length === 0 ? null : `tries out: ${done.join('; ')}`;
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
