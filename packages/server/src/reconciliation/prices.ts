import { priceIn, productIn } from '../catalog/find-product.ts';
import { fromStripeLookupKey, isPrefixed } from '../catalog/lookup-key.ts';
import { priceOfStripe } from '../catalog/mirror-product.ts';
import type { PriceRow } from '../catalog/views.ts';
import { parseShape } from '../mirror/parse-shape.ts';
import { PriceShape } from '../mirror/shapes.ts';
import type { Stripe } from '../stripe/types.ts';
import { catalogKind } from './catalog-kind.ts';

/** Prices of the products that are known, whether or not they are offered still. */
export const prices = catalogKind<Stripe.Price, PriceRow>({
  name: 'price',
  list: (client, page) => client.prices.list(page),
  retrieve: (client, id) => client.prices.retrieve(id),
  storedIn: priceIn,

  async mirrored({ db, connection }, found, stored) {
    parseShape(PriceShape, found, 'price');
    const { productId, currency, unitAmount, nickname, active, lookupKey } = priceOfStripe(found);
    const projectId = (await productIn(db, connection.id, productId))?.project_id;
    if (projectId === undefined) return { status: 'ignored' };
    const lookup_key = expectedLookupKey(projectId, lookupKey, stored?.lookup_key ?? null);
    return { projectId, columns: { currency, unit_amount: unitAmount, nickname, active, lookup_key } };
  },
});

/** A key that Stripe has without the project's prefix may have had to yield to one that the project gave. */
function expectedLookupKey(projectId: string, inStripe: string | null, stored: string | null): string | null {
  if (inStripe !== null && !isPrefixed(projectId, inStripe) && stored === null) return null;
  return fromStripeLookupKey(projectId, inStripe);
}
