/** What a checkout session or payment link is asked to sell, as the lines that it has. */
import { amountFor } from '../billing/amounts.ts';
import { invalidRequest } from '../errors.ts';
import type { LineItem } from '../model.ts';
import { mergeMetadata, type Params } from '../params.ts';
import { createPriceFrom } from '../resources/prices.ts';
import type { World } from '../world.ts';
import type { sessionFields } from './session-params.ts';

type Given = Params<typeof sessionFields>;
type Mode = Given['mode'] | undefined;
type GivenLine = NonNullable<Given['line_items']>[number];

/** How many a customer may choose where the session does not say. */
const MOST_ADJUSTABLE = 99;

function priceOf(world: World, line: GivenLine, index: number) {
  if (line.price !== undefined) return world.need('price', line.price, `line_items[${index}][price]`);
  const data = line.price_data;
  if (data === undefined) {
    throw invalidRequest('You must provide one of `price` or `price_data` for each line item.', {
      code: 'parameter_missing',
      param: `line_items[${index}][price]`,
    });
  }
  const price = createPriceFrom(world, data);
  price.active = false;
  return price;
}

/** @throws StripeError when the quantity that one begins with lies outside of what may be chosen */
function adjustableOf(line: GivenLine, index: number, quantity: number): LineItem['adjustable_quantity'] {
  if (line.adjustable_quantity === undefined) return null;
  const { enabled, maximum = MOST_ADJUSTABLE, minimum = 0 } = line.adjustable_quantity;
  if (!enabled) return { enabled, maximum: null, minimum: null };
  if (quantity < minimum || quantity > maximum) {
    throw invalidRequest(`The quantity must be between ${minimum} and ${maximum}, as adjustable_quantity says.`, {
      param: `line_items[${index}][quantity]`,
    });
  }
  return { enabled, maximum, minimum };
}

function lineOf(world: World, line: GivenLine, index: number, mode: Mode): LineItem {
  const price = priceOf(world, line, index);
  const param = `line_items[${index}][price]`;
  if (line.price !== undefined && !price.active) {
    throw invalidRequest(`The price \`${price.id}\` is not available to be purchased because it is not active.`, {
      param,
    });
  }
  if (mode === 'payment' && price.recurring !== null) {
    throw invalidRequest(
      'You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.',
      { param },
    );
  }
  const metered = price.recurring?.usage_type === 'metered';
  if (line.quantity === undefined && !metered) {
    throw invalidRequest('Quantity is required. Add `quantity` to `line_items`.', {
      code: 'parameter_missing',
      param: `line_items[${index}][quantity]`,
    });
  }
  const quantity = line.quantity ?? 1;
  if (quantity < 1 || quantity > 999_999) {
    throw invalidRequest('The quantity must be between 1 and 999999.', { param: `line_items[${index}][quantity]` });
  }
  const subtotal = amountFor(price, quantity);
  return {
    id: world.ids.make('li_'),
    object: 'item',
    adjustable_quantity: adjustableOf(line, index, quantity),
    amount_discount: 0,
    amount_subtotal: subtotal,
    amount_tax: 0,
    amount_total: subtotal,
    currency: price.currency,
    description: world.store.get('product', price.product)?.name ?? price.id,
    metadata: mergeMetadata({}, line.metadata),
    price,
    quantity,
  };
}

/**
 * What is sold.
 *
 * @param given without a mode the prices decide whether it is a subscription
 */
export function linesOf(world: World, given: { line_items: Given['line_items']; mode: Mode }): LineItem[] {
  const lines = (given.line_items ?? []).map((line, index) => lineOf(world, line, index, given.mode));
  if (given.mode === 'setup') {
    if (lines.length > 0)
      throw invalidRequest('You can not pass `line_items` in `setup` mode.', { param: 'line_items' });
    return lines;
  }
  if (lines.length === 0) {
    throw invalidRequest('Missing required param: line_items.', { code: 'parameter_missing', param: 'line_items' });
  }
  if (new Set(lines.map(({ currency }) => currency)).size > 1) {
    throw invalidRequest('All prices on a Checkout session must use the same currency.', { param: 'line_items' });
  }
  if (given.mode === 'subscription' && lines.every(({ price }) => price.recurring === null)) {
    throw invalidRequest('You must provide at least one recurring price in `subscription` mode when using prices.', {
      param: 'line_items',
    });
  }
  return lines;
}
