import { productIn } from '../catalog/find-product.ts';
import { productOfStripe } from '../catalog/mirror-product.ts';
import type { ProductRow } from '../catalog/views.ts';
import { parseShape } from '../mirror/parse-shape.ts';
import { ProductShape } from '../mirror/shapes.ts';
import { productOwner } from '../mirror/sync-product.ts';
import type { Stripe } from '../stripe/types.ts';
import { catalogKind } from './catalog-kind.ts';

/** Products that are known, and those that are stamped for a project and never arrived. */
export const products = catalogKind<Stripe.Product, ProductRow>({
  name: 'product',
  list: (client, page) => client.products.list(page),
  retrieve: (client, id) => client.products.retrieve(id),
  storedIn: productIn,

  async mirrored(look, found, stored) {
    const product = parseShape(ProductShape, found, 'product');
    const owner = await productOwner(look.db, look.connection, product, stored?.project_id ?? null);
    if ('refused' in owner) return { status: owner.refused.status === 'parked' ? 'parked' : 'ignored' };
    const { name, description, active } = productOfStripe(found);
    return { projectId: owner.projectId, columns: { name, description, active } };
  },
});
