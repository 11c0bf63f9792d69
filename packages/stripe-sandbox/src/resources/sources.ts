import { TEST_PAYMENT_METHODS } from '../billing/card-facts.ts';
import { cardError, missing } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { Card, Customer } from '../model.ts';
import { clearable, integer, mergeMetadata, metadata, optional, required, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { createCard } from './make-payment-method.ts';

/** The payment method that a token such as `tok_visa` stands for, as a card of the older kind. */
function cardOf(world: World, customer: Customer, token: string): Card {
  const number = TEST_PAYMENT_METHODS[token.replace(/^tok_/, 'pm_card_')];
  if (number === undefined) throw missing('token', token, 'source');
  if (token.endsWith('chargeDeclined')) {
    throw cardError('Your card was declined.', { code: 'card_declined', decline_code: 'generic_decline' });
  }
  const method = createCard(world, number);
  world.store.rekey('payment_method', method, () => {
    method.customer = customer.id;
  });
  const { card } = method;
  return world.store.insert('card', {
    id: world.ids.make('card_'),
    object: 'card',
    address_city: null,
    address_country: null,
    address_line1: null,
    address_line1_check: null,
    address_line2: null,
    address_state: null,
    address_zip: null,
    address_zip_check: null,
    brand: card?.brand === 'mastercard' ? 'MasterCard' : card?.brand === 'amex' ? 'American Express' : 'Visa',
    country: card?.country ?? null,
    customer: customer.id,
    cvc_check: 'pass',
    dynamic_last4: null,
    exp_month: card?.exp_month ?? 12,
    exp_year: card?.exp_year ?? 2040,
    fingerprint: card?.fingerprint ?? null,
    funding: card?.funding ?? 'credit',
    last4: card?.last4 ?? '4242',
    metadata: {},
    name: null,
    regulated_status: 'unregulated',
    tokenization_method: null,
  });
}

/** A card of a customer, by the ids in a path. */
function cardIn(world: World, customer: string, id: string): Card {
  const card = world.store.get('card', id);
  if (card === undefined || card.customer !== customer) throw missing('source', id);
  return card;
}

/** The older way to keep a customer's cards; new integrations use payment methods. */
export const sourceRoutes = [
  route(
    'POST',
    '/customers/:id/sources',
    { metadata: optional(metadata), source: required(text) },
    (world, params, id) => {
      const customer = world.need('customer', id);
      const card = cardOf(world, customer, params.source);
      card.metadata = mergeMetadata({}, params.metadata);
      emit(world, 'customer.source.created', card);
      return card;
    },
  ),
  route('GET', '/customers/:id/sources', { ...listShape, object: optional(text) }, (world, params, id) => {
    world.need('customer', id);
    return pageOf(world.store, 'card', params, {
      url: `/v1/customers/${id}/sources`,
      keep: (card) => card.customer === id,
    });
  }),
  route('GET', '/customers/:id/sources/:source', {}, (world, _params, id, source) => cardIn(world, id, source)),
  route(
    'POST',
    '/customers/:id/sources/:source',
    {
      exp_month: optional(integer),
      exp_year: optional(integer),
      metadata: optional(metadata),
      name: optional(clearable(text)),
    },
    (world, params, id, source) => {
      const card = cardIn(world, id, source);
      const metadataAfter = mergeMetadata(card.metadata, params.metadata);
      change(world, card, 'customer.source.updated', () => {
        card.exp_month = params.exp_month ?? card.exp_month;
        card.exp_year = params.exp_year ?? card.exp_year;
        if (params.name !== undefined) card.name = params.name;
        card.metadata = metadataAfter;
      });
      return card;
    },
  ),
  route('DELETE', '/customers/:id/sources/:source', {}, (world, _params, id, source) => {
    const card = cardIn(world, id, source);
    emit(world, 'customer.source.deleted', card);
    return world.remove('card', card.id);
  }),
];
