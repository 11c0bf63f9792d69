import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import type { Charge, Metadata, Refund } from '../model.ts';
import type { World } from '../world.ts';
import { book } from './balance.ts';
import { behaviourOf } from './cards.ts';

/** What of a charge can still be given back, in the smallest unit of its currency. */
export function refundable(charge: Charge): number {
  return charge.amount_captured - charge.amount_refunded;
}

function setRefunded(world: World, charge: Charge, amount: number, type: string): void {
  change(world, charge, type, () => {
    charge.amount_refunded = amount;
    charge.refunded = amount >= charge.amount;
  });
}

/**
 * Gives back a charge, whole or in part.
 *
 * @param amount in the smallest unit; left out: all that is left
 * @throws StripeError when there is not so much left, or it never went through
 */
export function refundCharge(
  world: World,
  charge: Charge,
  given: { amount?: number | undefined; reason: Refund['reason']; metadata: Metadata },
): Refund {
  if (charge.status !== 'succeeded') {
    throw invalidRequest(`This charge (${charge.id}) is not successful and cannot be refunded.`);
  }
  const left = refundable(charge);
  if (left <= 0) {
    throw invalidRequest(`Charge ${charge.id} has already been refunded.`, { code: 'charge_already_refunded' });
  }
  const disputed = world.store.all('dispute', { key: 'charge', value: charge.id });
  if (disputed.some(({ is_charge_refundable, status }) => !is_charge_refundable && status !== 'won')) {
    throw invalidRequest(`Charge ${charge.id} has been charged back; cannot issue a refund.`, {
      code: 'charge_disputed',
    });
  }
  const amount = given.amount ?? left;
  if (amount <= 0)
    throw invalidRequest('Invalid positive integer', { code: 'parameter_invalid_integer', param: 'amount' });
  if (amount > left) {
    throw invalidRequest(
      `Refund amount (${amount}) is greater than unrefunded amount on charge (${left}, in the smallest currency unit)`,
      { param: 'amount' },
    );
  }
  const method = world.store.get('payment_method', charge.payment_method);
  const behaviour = behaviourOf(method?.$.number ?? '').refunds;
  const id = world.ids.make('re_');
  const refund = world.store.insert('refund', {
    id,
    object: 'refund',
    amount,
    balance_transaction: book(world, { amount: -amount, currency: charge.currency, source: id, type: 'refund' }),
    charge: charge.id,
    created: world.clock.now(),
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    destination_details: { card: { type: 'refund', reference_status: 'pending' }, type: 'card' },
    metadata: given.metadata,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: given.reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: behaviour === 'pend' || method?.type === 'sepa_debit' ? 'pending' : 'succeeded',
    transfer_reversal: null,
  });
  emit(world, 'refund.created', refund);
  setRefunded(world, charge, charge.amount_refunded + amount, 'charge.refunded');
  if (behaviour === 'fail') failRefund(world, refund);
  return refund;
}

function withdraw(world: World, refund: Refund): void {
  const charge = world.store.get('charge', refund.charge);
  if (charge !== undefined) setRefunded(world, charge, charge.amount_refunded - refund.amount, 'charge.updated');
}

/**
 * The bank sends a refund back, perhaps days after it had looked like succeeding: the money is here again.
 *
 * @throws StripeError when it has failed or was canceled already
 */
export function failRefund(world: World, refund: Refund, reason = 'expired_or_canceled_card'): Refund {
  if (refund.status === 'failed' || refund.status === 'canceled') {
    throw invalidRequest(`The refund is ${refund.status} already.`);
  }
  change(world, refund, 'refund.updated', () => {
    refund.status = 'failed';
    refund.failure_reason = reason;
  });
  withdraw(world, refund);
  emit(world, 'refund.failed', refund);
  emit(world, 'charge.refund.updated', refund);
  return refund;
}

/** A refund that was pending goes through. */
export function succeedRefund(world: World, refund: Refund): Refund {
  if (refund.status !== 'pending') throw invalidRequest(`The refund is not pending, but ${refund.status}.`);
  change(world, refund, 'refund.updated', () => {
    refund.status = 'succeeded';
  });
  emit(world, 'charge.refund.updated', refund);
  return refund;
}

/** Calls a pending refund off. */
export function cancelRefund(world: World, refund: Refund): Refund {
  if (refund.status !== 'pending' && refund.status !== 'requires_action') {
    throw invalidRequest(`You can only cancel a refund that is pending; this one is ${refund.status}.`);
  }
  change(world, refund, 'refund.updated', () => {
    refund.status = 'canceled';
  });
  withdraw(world, refund);
  emit(world, 'charge.refund.updated', refund);
  return refund;
}
