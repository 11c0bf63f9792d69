import { TEST_PAYMENT_METHODS } from '../billing/card-facts.ts';
import { behaviourOf, declineWords, isCardNumber } from '../billing/cards.ts';
import { cardError, invalidRequest, missing } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { Customer, PaymentMethod } from '../model.ts';
import {
  clearable,
  group,
  ignored,
  integer,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  required,
  text,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { createBankDebit, createCard } from './make-payment-method.ts';

/** A stored payment method, or the one that a test id such as `pm_card_visa` stands for. */
export function resolveMethod(world: World, id: string, param: string): PaymentMethod {
  const number = TEST_PAYMENT_METHODS[id];
  return number === undefined ? world.need('payment_method', id, param) : createCard(world, number);
}

/**
 * A payment method that a customer can pay with.
 *
 * @throws StripeError when it is not theirs
 */
export function usableMethod(world: World, id: string, customer: string, param: string): PaymentMethod {
  const number = TEST_PAYMENT_METHODS[id];
  // A test id stands for the card that was attached with it.
  const method =
    number === undefined
      ? world.store.get('payment_method', id)
      : world.store
          .all('payment_method', { key: 'customer', value: customer })
          .findLast((one) => one.$.number === number);
  if (method === undefined) throw missing('PaymentMethod', id, param);
  if (method.customer !== customer) {
    throw invalidRequest(
      `The customer does not have a payment method with the ID ${id}. The payment method must be attached to the customer.`,
      { code: 'resource_missing', param },
    );
  }
  return method;
}

/** Gives a payment method to a customer, without asking the bank. */
export function giveMethod(world: World, method: PaymentMethod, customer: Customer): void {
  if (method.customer === customer.id) return;
  world.store.rekey('payment_method', method, () => {
    method.customer = customer.id;
  });
  emit(world, 'payment_method.attached', method);
}

/**
 * Attaches a payment method to a customer; the bank is asked whether the card is good.
 *
 * @throws StripeError (402) when it is not, (400) when it belongs to somebody else
 */
function attachMethod(world: World, id: string, customer: Customer, param = 'id'): PaymentMethod {
  const method = checkMethod(world, id, customer.id, param);
  giveMethod(world, method, customer);
  return method;
}

/**
 * The payment method, if it can be attached to a customer (null: to one that is yet to be made).
 *
 * @throws StripeError (402) when the card is no good, (400) when it belongs to somebody else
 */
export function checkMethod(world: World, id: string, customerId: string | null, param: string): PaymentMethod {
  const method = resolveMethod(world, id, param);
  if (method.customer !== null && method.customer !== customerId) {
    throw invalidRequest('The payment method you provided has already been attached to a customer.', { param });
  }
  const { authenticates, declines } = behaviourOf(method.$.number);
  // Whether a card that asks its bank is good only shows once it has been asked.
  if (declines !== null && authenticates !== true) {
    const { code, message } = declineWords(declines);
    throw cardError(message, { code, decline_code: declines, payment_method: { id: method.id } });
  }
  return method;
}

/** Takes a payment method away from its customer; it cannot be used again. */
function detachMethod(world: World, method: PaymentMethod): PaymentMethod {
  const customer = method.customer === null ? undefined : world.store.get('customer', method.customer);
  if (method.customer === null) {
    throw invalidRequest('The payment method you provided is not attached to a customer so detachment is impossible.');
  }
  change(world, method, 'payment_method.detached', () =>
    world.store.rekey('payment_method', method, () => {
      method.customer = null;
    }),
  );
  if (customer?.invoice_settings.default_payment_method === method.id) {
    change(world, customer, 'customer.updated', () => {
      customer.invoice_settings.default_payment_method = null;
    });
  }
  for (const subscription of world.store.all('subscription', { key: 'customer', value: customer?.id ?? '' })) {
    if (subscription.default_payment_method === method.id) subscription.default_payment_method = null;
  }
  return method;
}

const cardFields = group({
  number: optional(text),
  exp_month: optional(integer),
  exp_year: optional(integer),
  cvc: optional(text),
  token: optional(text),
});

/** @throws StripeError (402) when what is given besides the number cannot be on a card */
function checkCard(
  world: World,
  card: { cvc?: string | undefined; exp_month?: number | undefined; exp_year?: number | undefined },
): void {
  const { cvc, exp_month: month, exp_year: year } = card;
  const now = new Date(world.clock.now() * 1000);
  if (month !== undefined && (month < 1 || month > 12)) {
    throw cardError("Your card's expiration month is invalid.", { code: 'invalid_expiry_month', param: 'exp_month' });
  }
  if (year !== undefined && (year < now.getUTCFullYear() || year > now.getUTCFullYear() + 50)) {
    throw cardError("Your card's expiration year is invalid.", { code: 'invalid_expiry_year', param: 'exp_year' });
  }
  if (cvc !== undefined && !/^\d{3,4}$/.test(cvc)) {
    throw cardError("Your card's security code is invalid.", { code: 'invalid_cvc', param: 'cvc' });
  }
}

const billingFields = group({
  address: optional(ignored),
  email: optional(clearable(text)),
  name: optional(clearable(text)),
  phone: optional(clearable(text)),
});

export const paymentMethodRoutes = [
  route(
    'POST',
    '/payment_methods',
    {
      type: required(oneOf('card', 'sepa_debit')),
      allow_redisplay: optional(ignored),
      billing_details: optional(billingFields),
      card: optional(cardFields),
      metadata: optional(metadata),
      sepa_debit: optional(group({ iban: required(text) })),
    },
    (world, params) => {
      const payer = { email: params.billing_details?.email, name: params.billing_details?.name };
      if (params.type === 'sepa_debit') {
        if (params.sepa_debit === undefined)
          throw invalidRequest('Missing required param: sepa_debit.', {
            code: 'parameter_missing',
            param: 'sepa_debit',
          });
        return createBankDebit(world, params.sepa_debit.iban, payer);
      }
      const token = params.card?.token;
      const number =
        token === undefined ? params.card?.number : TEST_PAYMENT_METHODS[token.replace(/^tok_/, 'pm_card_')];
      if (number === undefined)
        throw invalidRequest('Missing required param: card.', { code: 'parameter_missing', param: 'card' });
      if (!isCardNumber(number))
        throw cardError('Your card number is incorrect.', { code: 'incorrect_number', param: 'number' });
      checkCard(world, params.card ?? {});
      const expiry =
        params.card?.exp_month === undefined || params.card.exp_year === undefined
          ? undefined
          : { month: params.card.exp_month, year: params.card.exp_year };
      const method = createCard(world, number, payer, expiry);
      method.metadata = mergeMetadata({}, params.metadata);
      return method;
    },
  ),
  route(
    'GET',
    '/payment_methods',
    { ...listShape, allow_redisplay: optional(ignored), customer: optional(text), type: optional(text) },
    (world, params) => listMethods(world, params, '/v1/payment_methods', params.customer),
  ),
  route(
    'GET',
    '/customers/:id/payment_methods',
    { ...listShape, allow_redisplay: optional(ignored), type: optional(text) },
    (world, params, id) => {
      world.need('customer', id);
      return listMethods(world, params, `/v1/customers/${id}/payment_methods`, id);
    },
  ),
  route('GET', '/customers/:id/payment_methods/:method', {}, (world, _params, id, method) =>
    usableMethod(world, method, id, 'id'),
  ),
  route('GET', '/payment_methods/:id', {}, (world, _params, id) => world.need('payment_method', id)),
  route(
    'POST',
    '/payment_methods/:id',
    {
      billing_details: optional(billingFields),
      metadata: optional(metadata),
      allow_redisplay: optional(ignored),
      card: optional(ignored),
    },
    (world, params, id) => {
      const method = world.need('payment_method', id);
      const metadataAfter = mergeMetadata(method.metadata, params.metadata);
      change(world, method, 'payment_method.updated', () => {
        method.metadata = metadataAfter;
        if (params.billing_details?.email !== undefined) method.billing_details.email = params.billing_details.email;
        if (params.billing_details?.name !== undefined) method.billing_details.name = params.billing_details.name;
      });
      return method;
    },
  ),
  route('POST', '/payment_methods/:id/attach', { customer: required(text) }, (world, params, id) =>
    attachMethod(world, id, world.need('customer', params.customer, 'customer')),
  ),
  route('POST', '/payment_methods/:id/detach', {}, (world, _params, id) =>
    detachMethod(world, world.need('payment_method', id)),
  ),
];

function listMethods(
  world: World,
  params: {
    type: string | undefined;
    limit: number | undefined;
    starting_after: string | undefined;
    ending_before: string | undefined;
  },
  url: string,
  customer: string | undefined,
): object {
  return pageOf(world.store, 'payment_method', params, {
    url,
    by: customer === undefined ? undefined : { key: 'customer', value: customer },
    keep: (method) => method.customer !== null && (params.type === undefined || method.type === params.type),
  });
}
