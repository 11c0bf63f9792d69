import type { Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { getOfferedPrice, type Line, type PriceName } from './offered-price.ts';

/** The members of the request that say what is to be bought. */
export interface RequestedLines {
  price?: string | undefined;
  lookup_key?: string | undefined;
  line_items?: readonly { price: string; quantity?: number | undefined }[] | undefined;
  quantity?: number | undefined;
}

interface Wanted {
  name: PriceName;
  quantity: number | undefined;
  path: string;
  quantityPath: string;
}

/**
 * What a request wants to buy, with the project's prices.
 * @throws TollgateError `invalid_request`, `not_found` (price), `price_inactive`
 */
export async function requestedLines(db: Queryable, projectId: string, request: RequestedLines): Promise<Line[]> {
  const lines: Line[] = [];
  for (const { name, quantity, path, quantityPath } of wantedOf(request)) {
    const price = await getOfferedPrice(db, projectId, name, path);
    const metered = price.usage_type === 'metered';
    if (metered && quantity !== undefined) throw refusal(quantityPath, 'must be left out for a metered price');
    if (lines.some((line) => line.price.id === price.id)) {
      throw refusal(path, 'names a price for the second time; use quantity');
    }
    lines.push({ price, quantity: metered ? null : (quantity ?? 1), path });
  }
  return lines;
}

function wantedOf({ price, lookup_key, line_items, quantity }: RequestedLines): Wanted[] {
  const ways = [price, lookup_key, line_items].filter((way) => way !== undefined).length;
  if (ways !== 1) {
    throw new TollgateError(
      'invalid_request',
      'Say what to buy with exactly one of price, lookup_key and line_items.',
      [{ path: 'price', message: 'or lookup_key or line_items has to be given, and only one of them' }],
    );
  }
  if (line_items !== undefined) {
    if (quantity !== undefined) throw refusal('quantity', 'belongs into each of the line_items');
    return line_items.map((item, index) => ({
      name: { id: item.price },
      quantity: item.quantity,
      path: `line_items.${index}.price`,
      quantityPath: `line_items.${index}.quantity`,
    }));
  }
  const single = { quantity, quantityPath: 'quantity' };
  if (price !== undefined) return [{ ...single, name: { id: price }, path: 'price' }];
  return [{ ...single, name: { lookupKey: lookup_key ?? '' }, path: 'lookup_key' }];
}

function refusal(path: string, message: string): TollgateError {
  return new TollgateError('invalid_request', `In the body, ${path} ${message}.`, [{ path, message }]);
}
