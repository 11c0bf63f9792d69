/** Somebody buys in a checkout of the service's. */
import type { Random } from '../../virtual/random.ts';
import { type Act, choose, describe, recurring, refused } from '../act.ts';
import type { Price } from '../stage.ts';

const URLS = { success_url: 'https://app.example/thanks', cancel_url: 'https://app.example/no' };

export async function subscribe(act: Act): Promise<string | null> {
  return await checkout(act, recurring(act));
}

export async function buyOnce(act: Act): Promise<string | null> {
  return await checkout(
    act,
    act.project.prices.filter(({ interval }) => interval === null),
  );
}

async function checkout(act: Act, prices: readonly Price[]): Promise<string | null> {
  const { universe, ledger, person, project, random } = act;
  const price = choose(act, prices);
  const trial = price.interval !== null && random.chance(0.35) ? { trial_period_days: 3 + random.below(20) } : {};
  const free = random.chance(0.3) ? { payment_method_collection: 'if_required' } : {};
  const body = {
    customer_id: person.customer,
    price: price.id,
    ...(price.byQuantity ? { quantity: 1 + random.below(5) } : {}),
    ...(price.interval === null ? {} : { ...trial, ...('trial_period_days' in trial ? free : {}) }),
    ...(random.chance(0.1) ? { allow_multiple: true } : {}),
    ...URLS,
  };
  const plan = {
    leaves: random.chance(0.1),
    card: cardFor(random, price),
    waits: random.below(60_000),
    looks: random.chance(0.4),
  };
  const answer = await universe.ask('POST', '/checkout/sessions', { key: project.key, body });
  if (answer.status !== 201) return refused('checkout', answer);
  const session = universe.world.store.get('checkout.session', answer.body.id);
  if (session?.customer != null) ledger.owners.set(session.customer, person);
  if (plan.leaves || session?.status !== 'open') return `opens a checkout for ${describe(act, price)} and leaves`;
  // A colleague may have deleted the customer meanwhile: then the page says so.
  if (universe.world.store.get('customer', session.customer ?? '') === undefined) return 'cannot pay any more';
  const result = universe.control.payCheckout(session.id, { cardNumber: plan.card, authenticated: true });
  if (plan.looks) await universe.ask('GET', `/checkout/sessions/${session.id}`, { key: project.key });
  return `buys ${describe(act, price)}${'trial_period_days' in trial ? ` with a trial of ${trial.trial_period_days} days` : ''} with ${plan.card}${result.ok ? '' : ', which is declined'}`;
}

function cardFor(random: Random, price: Price): string {
  return random.weighted({
    '4242424242424242': 75,
    '4000000000000341': 10,
    '4000000000000002': 4,
    '4000002500003155': 3,
    DE89370400440532013000: 3,
    DE62370400440532013001: 2,
    '4000000000000259': price.interval === null ? 5 : 0,
    '4000000000001976': price.interval === null ? 3 : 0,
    '4000000000005126': price.interval === null ? 6 : 0,
    '4000000000007726': price.interval === null ? 4 : 0,
  });
}
