import Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import { TollgateError } from '../../src/platform/errors.ts';
import { fieldChanges } from '../../src/reconciliation/field-changes.ts';
import { stepName, stepsOf } from '../../src/reconciliation/steps.ts';
import { unreadable } from '../../src/reconciliation/unreadable.ts';

describe('the fields in which two states differ', () => {
  test('are named by their path, with instants as RFC 3339', () => {
    const item = { id: 'si_1', quantity: 1, currentPeriodEnd: 0 };
    const before = { status: 'active', cancelAt: null, items: [item] };
    const after = {
      status: 'active',
      cancelAt: Date.UTC(2026, 0, 2),
      items: [{ ...item, quantity: 3, currentPeriodEnd: 1000 }],
    };
    expect(fieldChanges(before, after)).toEqual([
      { field: 'cancel_at', before: null, after: '2026-01-02T00:00:00.000Z' },
      { field: 'items.0.current_period_end', before: '1970-01-01T00:00:00.000Z', after: '1970-01-01T00:00:01.000Z' },
      { field: 'items.0.quantity', before: 1, after: 3 },
    ]);
  });

  test('are all of them where there was nothing, and none where nothing changed', () => {
    expect(fieldChanges(null, { a: 1, b: null })).toEqual([{ field: 'a', before: null, after: 1 }]);
    expect(fieldChanges({ a: [], b: {} }, { a: [], b: {} })).toEqual([]);
  });

  test('are no more than a hundred', () => {
    expect(fieldChanges(null, { many: Array.from({ length: 500 }, (_, i) => i) })).toHaveLength(100);
  });
});

describe('the steps of a reconciliation', () => {
  test('begin with what says whose a subscription is, then look at what was in no list, and end with the proof', () => {
    const kinds = ['product', 'price', 'customer', 'invoice', 'subscription', 'purchase', 'invoice_payment'];
    expect(stepsOf({ projectId: null, customerId: null }, ['default']).map(stepName)).toEqual([
      ...kinds.map((kind) => `default/listed/${kind}`),
      ...kinds.map((kind) => `default/unmet/${kind}`),
      'default/proven/fact',
      'default/proven/snapshot',
    ]);
  });

  test('of one customer leave the catalog out', () => {
    const names = stepsOf({ projectId: 'prj_1', customerId: 'cust_1' }, ['default']).map(stepName);
    expect(names).toHaveLength(12);
    expect(names.join()).not.toMatch(/product|price/);
  });

  test('go through one connection after the other, in the same order each time', () => {
    const scope = { projectId: null, customerId: null };
    expect(stepsOf(scope, ['b', 'a'])).toEqual(stepsOf(scope, ['a', 'b']));
    expect(stepsOf(scope, ['b', 'a'])).toHaveLength(32);
  });
});

describe('an object that cannot be read', () => {
  test('is told apart from an outage, which has to stop the run', () => {
    const shape = new TollgateError('stripe_shape_unexpected', 'It does not look as expected.');
    expect(unreadable(shape)).toBe('It does not look as expected.');
    const refused = new Stripe.errors.StripeInvalidRequestError({
      type: 'invalid_request_error',
      message: 'No.',
      statusCode: 400,
    });
    expect(unreadable(refused)).toContain('No.');
    const outage = new Stripe.errors.StripeConnectionError({ type: 'api_error', message: 'Away.' });
    expect(() => unreadable(outage)).toThrow('Away.');
    expect(() => unreadable(new Error('A mistake of ours.'))).toThrow('A mistake of ours.');
  });
});
