import { emit } from '../events.ts';
import type { Charge, PaymentIntent } from '../model.ts';
import type { World } from '../world.ts';
import { book } from './balance.ts';

/** Holds the money of a payment that is to be captured later, in place of taking it. */
export function holdCharge(world: World, intent: PaymentIntent, charge: Charge): void {
  Object.assign(charge, { amount_captured: 0, balance_transaction: null, captured: false });
  intent.status = 'requires_capture';
  intent.amount_capturable = intent.amount;
  emit(world, 'charge.succeeded', charge);
  emit(world, 'payment_intent.amount_capturable_updated', intent);
}

/** Takes held money, or a part of it; the rest is released. */
export function captureIntent(world: World, intent: PaymentIntent, amount: number): void {
  const charge = world.need('charge', intent.latest_charge ?? '');
  Object.assign(charge, {
    amount_captured: amount,
    amount_refunded: charge.amount - amount,
    balance_transaction: book(world, { amount, currency: charge.currency, source: charge.id, type: 'charge' }),
    captured: true,
  });
  intent.status = 'succeeded';
  intent.amount_capturable = 0;
  intent.amount_received = amount;
  emit(world, 'charge.captured', charge);
  emit(world, 'payment_intent.succeeded', intent);
}

/** Releases held money, as when its payment is given up. */
export function releaseHold(world: World, intent: PaymentIntent): void {
  const charge = intent.latest_charge === null ? undefined : world.store.get('charge', intent.latest_charge);
  intent.amount_capturable = 0;
  if (charge === undefined) return;
  Object.assign(charge, { amount_refunded: charge.amount, refunded: true });
  emit(world, 'charge.refunded', charge);
}
