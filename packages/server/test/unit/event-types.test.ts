import { describe, expect, test } from 'vitest';
import { EVENT_TYPES, subjectOf } from '../../src/inbox/event-types.ts';

function lead(type: string, object: Record<string, unknown>) {
  const subject = EVENT_TYPES[type];
  if (subject === undefined) throw new Error(`${type} is not acted upon.`);
  return subjectOf(subject, object);
}

describe('an event about money that went back', () => {
  test.each([
    'charge.refunded',
    'charge.refund.updated',
    'refund.created',
    'refund.updated',
    'refund.failed',
    'charge.dispute.created',
    'charge.dispute.updated',
    'charge.dispute.closed',
    'charge.dispute.funds_withdrawn',
    'charge.dispute.funds_reinstated',
  ])('%s leads to the payment, as an id or expanded', (type) => {
    const ref = { type: 'payment', id: 'pi_1' };
    expect(lead(type, { id: 'x_1', payment_intent: 'pi_1' })).toEqual({ ref });
    expect(lead(type, { id: 'x_1', payment_intent: { id: 'pi_1' } })).toEqual({ ref });
  });

  test.each([
    ['charge.refunded', 'charge_without_payment_intent'],
    ['charge.refund.updated', 'refund_without_payment_intent'],
    ['charge.dispute.created', 'dispute_without_payment_intent'],
  ])('%s without a payment intent is about nothing that is sold here', (type, ignored) => {
    expect(lead(type, { id: 'x_1', payment_intent: null })).toEqual({ ignored });
  });

  test('is never a mere change of the charge: Stripe sends that for nearly every payment', () => {
    expect(EVENT_TYPES).not.toHaveProperty(['charge.updated']);
  });
});

test('an id of one’s own choice, as plans and products may have, is an id; a path is none', () => {
  for (const id of ['price_1', 'com.example.pro', 'gold-v1.2']) {
    expect(lead('price.updated', { id })).toEqual({ ref: { type: 'price', id } });
  }
  for (const id of ['', '.', '..', '../accounts', 'a/b', 7]) {
    expect(lead('price.updated', { id })).toEqual({ unreadable: 'data.object.id' });
  }
});
