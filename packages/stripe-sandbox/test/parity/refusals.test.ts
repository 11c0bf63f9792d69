import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/index.ts';
import { apiRoutes } from '../../src/resources/index.ts';
import { clientOf } from '../support/sandbox.ts';
import { monthlyPrice, payingCustomer } from '../support/shop.ts';

let sandbox: Sandbox;
let stripe: Stripe;

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 7 });
  stripe = clientOf(sandbox);
});
afterAll(() => sandbox.close());

/** What the official client throws for a request. */
async function refusalOf(request: () => Promise<unknown>): Promise<Stripe.errors.StripeError> {
  const error: unknown = await request().then(
    () => new Error('The request was not refused.'),
    (reason: unknown) => reason,
  );
  if (error instanceof Stripe.errors.StripeError) return error;
  throw error;
}

type Params = Record<string, unknown>;
const post = (path: string, params: Params) => stripe.rawRequest('POST', `/v1${path}`, params);

describe('a request that is wrong is refused in Stripe’s words', () => {
  test.each([
    [
      'an unknown parameter',
      '/customers',
      { colour: 'red' },
      'parameter_unknown',
      'colour',
      'Received unknown parameter: colour',
    ],
    [
      'an unknown nested parameter',
      '/prices',
      { currency: 'usd', unit_amount: 1, product_data: { name: 'A', colour: 'red' } },
      'parameter_unknown',
      'product_data[colour]',
      'Received unknown parameter: product_data[colour]',
    ],
    ['a missing parameter', '/products', {}, 'parameter_missing', 'name', 'Missing required param: name.'],
    [
      'a word for a number',
      '/prices',
      { currency: 'usd', unit_amount: 'many', product_data: { name: 'A' } },
      'parameter_invalid_integer',
      'unit_amount',
      'Invalid integer: many',
    ],
    [
      'an empty text',
      '/products',
      { name: '' },
      'parameter_invalid_empty',
      'name',
      "You passed an empty string for 'name'",
    ],
    [
      'a word for a switch',
      '/products',
      { name: 'A', active: 'perhaps' },
      undefined,
      'active',
      'Invalid boolean: perhaps',
    ],
    [
      'a word that is none of the choices',
      '/coupons',
      { percent_off: 5, duration: 'sometimes' },
      undefined,
      'duration',
      'Invalid duration: must be one of forever, once, repeating',
    ],
    [
      'a text for a list',
      '/checkout/sessions',
      { mode: 'payment', line_items: 'all' },
      undefined,
      'line_items',
      'Invalid array',
    ],
    [
      'a text for a group',
      '/prices',
      { currency: 'usd', unit_amount: 1, recurring: 'monthly' },
      undefined,
      'recurring',
      'Invalid object',
    ],
    [
      'an unknown object in a parameter',
      '/subscriptions',
      { customer: 'cus_nobody', items: [{ price: 'price_none' }] },
      'resource_missing',
      'customer',
      "No such customer: 'cus_nobody'",
    ],
    [
      'an amount of nothing',
      '/payment_intents',
      { amount: 0, currency: 'usd' },
      'parameter_invalid_integer',
      'amount',
      'greater than or equal to 1',
    ],
    [
      'a currency that is none',
      '/payment_intents',
      { amount: 100, currency: 'dollars' },
      undefined,
      'currency',
      'Invalid currency: dollars',
    ],
    [
      'a path that cannot be expanded',
      '/customers',
      { expand: ['colour'] },
      undefined,
      'expand',
      'This property cannot be expanded (colour).',
    ],
  ] as [string, string, Params, string | undefined, string, string][])(
    '%s',
    async (_name, path, params, code, param, message) => {
      const error = await refusalOf(() => post(path, params));
      expect(error).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError);
      expect(error).toMatchObject({ statusCode: 400, type: 'StripeInvalidRequestError', param });
      expect(error.code).toBe(code);
      expect(error.message).toContain(message);
      expect(error.requestId).toMatch(/^req_/);
    },
  );

  test('an object that is not there: 404, with its kind and id', async () => {
    const kinds = [
      ['customer', () => stripe.customers.retrieve('cus_none')],
      ['subscription', () => stripe.subscriptions.retrieve('sub_none')],
      ['price', () => stripe.prices.retrieve('price_none')],
      ['invoice', () => stripe.invoices.retrieve('in_none')],
      ['payment_intent', () => stripe.paymentIntents.retrieve('pi_none')],
      ['PaymentMethod', () => stripe.paymentMethods.retrieve('pm_none')],
      ['checkout.session', () => stripe.checkout.sessions.retrieve('cs_none')],
    ] as const;
    for (const [noun, request] of kinds) {
      const error = await refusalOf(request);
      expect(error).toMatchObject({ statusCode: 404, code: 'resource_missing', param: 'id' });
      expect(error.message).toContain(`No such ${noun}`);
    }
  });

  test('a card that is declined: 402, with the decline and the payment', async () => {
    const error = await refusalOf(() =>
      stripe.paymentIntents.create({
        amount: 500,
        currency: 'usd',
        confirm: true,
        payment_method: 'pm_card_chargeDeclinedInsufficientFunds',
      }),
    );
    expect(error).toBeInstanceOf(Stripe.errors.StripeCardError);
    expect(error).toMatchObject({
      statusCode: 402,
      code: 'card_declined',
      decline_code: 'insufficient_funds',
      message: 'Your card has insufficient funds.',
      payment_intent: { object: 'payment_intent', status: 'requires_payment_method' },
    });
  });

  test('a card that nobody can confirm: 402, authentication required', async () => {
    const error = await refusalOf(() =>
      stripe.paymentIntents.create({
        amount: 500,
        currency: 'usd',
        confirm: true,
        off_session: true,
        payment_method: 'pm_card_authenticationRequired',
      }),
    );
    expect(error).toMatchObject({ statusCode: 402, code: 'authentication_required' });
  });

  test('a key that is none: 401; a repeat key with other parameters: 400, an idempotency error', async () => {
    const stranger = clientOf(sandbox, {});
    const asStranger = await refusalOf(() => stranger.customers.list({}, { apiKey: 'nobody' }));
    expect(asStranger).toBeInstanceOf(Stripe.errors.StripeAuthenticationError);
    await stripe.customers.create({ name: 'Ann' }, { idempotencyKey: 'once' });
    const changed = await refusalOf(() => stripe.customers.create({ name: 'Bea' }, { idempotencyKey: 'once' }));
    expect(changed).toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
    expect(changed.statusCode).toBe(400);
  });

  test('both cursors at once, an unknown cursor and a limit out of bounds: 400', async () => {
    const both = await refusalOf(() => stripe.customers.list({ starting_after: 'cus_a', ending_before: 'cus_b' }));
    expect(both).toMatchObject({ statusCode: 400 });
    const unknown = await refusalOf(() => stripe.customers.list({ starting_after: 'cus_none' }));
    expect(unknown).toMatchObject({ statusCode: 400, code: 'resource_missing', param: 'starting_after' });
    expect(await refusalOf(() => stripe.customers.list({ limit: 101 }))).toMatchObject({
      statusCode: 400,
      param: 'limit',
    });
  });

  test('what an object’s state does not allow', async () => {
    const price = await monthlyPrice(stripe);
    const customer = await payingCustomer(stripe);
    const paid = await stripe.paymentIntents.create({
      amount: 500,
      currency: 'usd',
      confirm: true,
      payment_method: 'pm_card_visa',
    });
    const state = { statusCode: 400, code: 'payment_intent_unexpected_state' };
    expect(await refusalOf(() => stripe.paymentIntents.confirm(paid.id))).toMatchObject(state);
    expect(await refusalOf(() => stripe.paymentIntents.cancel(paid.id))).toMatchObject(state);
    expect(await refusalOf(() => stripe.paymentIntents.capture(paid.id))).toMatchObject(state);
    await stripe.refunds.create({ payment_intent: paid.id });
    expect(await refusalOf(() => stripe.refunds.create({ payment_intent: paid.id }))).toMatchObject({
      statusCode: 400,
      code: 'charge_already_refunded',
    });
    const unpayable = await refusalOf(() =>
      stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] }),
    );
    expect(unpayable).toMatchObject({ statusCode: 400, code: 'resource_missing' });
    const draft = await stripe.invoices.create({ customer: customer.id });
    await stripe.invoices.finalizeInvoice(draft.id as string);
    expect(await refusalOf(() => stripe.invoices.del(draft.id as string))).toMatchObject({
      code: 'invoice_not_editable',
    });
    expect(await refusalOf(() => stripe.invoices.pay(draft.id as string))).toMatchObject({
      code: 'invoice_already_paid',
    });
  });
});

test('every operation refuses a parameter that it does not know, before it looks at anything else', async () => {
  const accepted: string[] = [];
  for (const { method, path } of apiRoutes) {
    const filled = path.replace(/:[a-z]+/g, 'none');
    const query = method === 'POST' ? '' : '?colour=red';
    const response = await fetch(`${sandbox.url}/v1${filled}${query}`, {
      method,
      headers: { authorization: 'Bearer sk_test_raw', 'content-type': 'application/x-www-form-urlencoded' },
      ...(method === 'POST' ? { body: 'colour=red' } : {}),
    });
    const { error } = (await response.json()) as { error?: { code?: string; param?: string } };
    if (response.status !== 400 || error?.code !== 'parameter_unknown' || error.param !== 'colour') {
      accepted.push(`${method} ${path}`);
    }
  }
  expect(accepted).toEqual([]);
});

test('an address that Stripe does not have is answered in its envelope', async () => {
  const error = await refusalOf(() => stripe.rawRequest('GET', '/v1/colours'));
  expect(error).toMatchObject({ statusCode: 404, type: 'StripeInvalidRequestError' });
  expect(error.message).toContain('Unrecognized request URL (GET: /v1/colours)');
});
