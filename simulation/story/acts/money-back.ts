/** Money goes back: refunds, and disputes that somebody's bank decides. */
import type { Charge } from '../../../packages/stripe-sandbox/src/model.ts';
import { type Act, payers } from '../act.ts';
import { atStripe } from '../stage.ts';

export function refund(act: Act): string | null {
  const { universe, random } = act;
  const charge = pickCharge(act, (candidate) => candidate.amount_refunded < candidate.amount && !candidate.disputed);
  if (charge === undefined) return null;
  const left = charge.amount - charge.amount_refunded;
  const amount = random.chance(0.55) ? left : 1 + random.below(left);
  const made = atStripe(universe, 'POST', '/refunds', { charge: charge.id, amount });
  return made === null ? null : `gets ${amount} of ${charge.amount} of ${charge.payment_intent} back`;
}

export function refundFails(act: Act): string | null {
  const { universe, random } = act;
  const mine = new Set(payers(act));
  const refunds = universe.world.store
    .all('refund')
    .filter(
      ({ customer, status }) =>
        customer !== null && mine.has(customer) && (status === 'pending' || status === 'succeeded'),
    );
  if (refunds.length === 0) return null;
  const chosen = random.pick(refunds);
  const fails = random.chance(0.7);
  try {
    if (fails) universe.control.failRefund(chosen.id);
    else universe.control.succeedRefund(chosen.id);
  } catch {
    return null;
  }
  return `the refund of ${chosen.amount} of ${chosen.payment_intent} ${fails ? 'fails after all' : 'goes through'}`;
}

export function dispute(act: Act): string | null {
  const { universe, random } = act;
  const charge = pickCharge(act, (candidate) => !candidate.disputed && candidate.amount_refunded < candidate.amount);
  if (charge === undefined) return null;
  const cause = random.weighted({ fraudulent: 4, product_not_received: 4, inquiry: 2 });
  try {
    universe.control.dispute(charge.id, cause);
  } catch {
    return null;
  }
  return `disputes ${charge.payment_intent} (${cause})`;
}

export function closeDispute(act: Act): string | null {
  const { universe, random } = act;
  const mine = new Set(payers(act));
  const open = universe.world.store.all('dispute').filter(({ charge, status }) => {
    const owner = universe.world.store.get('charge', charge)?.customer;
    return owner != null && mine.has(owner) && ['needs_response', 'under_review'].includes(status);
  });
  if (open.length === 0) return null;
  const chosen = random.pick(open);
  const verdict = random.pick(['won', 'lost'] as const);
  try {
    universe.control.closeDispute(chosen.id, verdict);
  } catch {
    return null;
  }
  return `the dispute about ${chosen.payment_intent} is ${verdict}`;
}

/** More often the last one than another: that one is what access hangs on. */
function pickCharge(act: Act, fits: (charge: Charge) => boolean): Charge | undefined {
  const charges = payers(act)
    .flatMap((customer) => act.universe.world.store.all('charge', { key: 'customer', value: customer }))
    .filter((charge) => charge.status === 'succeeded' && fits(charge));
  if (charges.length === 0) return undefined;
  return act.random.chance(0.5) ? charges.at(-1) : act.random.pick(charges);
}
