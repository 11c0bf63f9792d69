import { priceIn, productIn } from '../catalog/find-product.ts';
import { fromStripeLookupKey, isPrefixed } from '../catalog/lookup-key.ts';
import { priceOfStripe } from '../catalog/mirror-product.ts';
import { parseShape } from '../mirror/parse-shape.ts';
import { PriceShape } from '../mirror/shapes.ts';
import { isMissing } from '../stripe/refusal.ts';
import type { Stripe } from '../stripe/types.ts';
import { fieldChanges } from './field-changes.ts';
import type { Kind, Look, Verdict } from './kind.ts';
import { notSeen } from './stored-facts.ts';
import { outOfScope } from './verdicts.ts';

/** Prices of the products that are known, whether or not they are offered still. */
export const prices: Kind<Stripe.Price> = {
  name: 'price',
  refOf: (id) => ({ type: 'price', id }),
  storedId: ({ id }) => id,

  async list(look, { limit, startingAfter }) {
    const from = startingAfter === undefined ? {} : { starting_after: startingAfter };
    return await look.connection.client.prices.list({ limit, ...from });
  },

  compare: async (look, listed) => await compareFetched(look, listed),

  async compareOne(look, id) {
    const found = await look.ask('price', () => retrieve(look, id));
    if (found !== null) return await compareFetched(look, found);
    const stored = await priceIn(look.db, look.connection.id, id);
    if (stored === undefined || stored.deleted) return { status: 'in_sync' };
    const fields = [{ field: 'deleted', before: false, after: true }];
    const drift = { kind: 'missing_in_stripe', projectId: stored.project_id, customerId: null, fields } as const;
    return { status: 'drift', drift: { ...drift, since: stored.updated_at } };
  },

  async unmet({ db, connection, scope }, { since, after, limit }) {
    let query = db
      .selectFrom('tollgate.prices as price')
      .innerJoin('tollgate.projects as project', 'project.id', 'price.project_id')
      .where('project.connection_id', '=', connection.id)
      .where('price.deleted', '=', false)
      .where('price.id', '>', after)
      .where(notSeen(connection.id, 'price', 'price.id', since))
      .select('price.id')
      .orderBy('price.id')
      .limit(limit);
    if (scope.projectId !== null) query = query.where('price.project_id', '=', scope.projectId);
    return (await query.execute()).map(({ id }) => id);
  },
};

async function compareFetched(look: Look, listed: Stripe.Price): Promise<Verdict> {
  const { id } = parseShape(PriceShape, listed, 'price');
  const price = priceOfStripe(listed);
  const projectId = (await productIn(look.db, look.connection.id, price.productId))?.project_id;
  if (projectId === undefined) return { status: 'ignored' };
  if (outOfScope(look.scope, { projectId, customerId: null })) return { status: 'out_of_scope' };
  const stored = await priceIn(look.db, look.connection.id, id);
  const is = {
    currency: price.currency,
    unit_amount: price.unitAmount,
    nickname: price.nickname,
    active: price.active,
  };
  const was = stored && {
    currency: stored.currency,
    unit_amount: stored.unit_amount,
    nickname: stored.nickname,
    active: stored.active,
  };
  const fields = fieldChanges(was === undefined ? null : { ...was, lookup_key: stored?.lookup_key ?? null }, {
    ...is,
    lookup_key: expectedLookupKey(projectId, price.lookupKey, stored?.lookup_key ?? null),
  });
  if (stored !== undefined && fields.length === 0) return { status: 'in_sync' };
  const kind = stored === undefined ? 'missing_locally' : 'different';
  return { status: 'drift', drift: { kind, projectId, customerId: null, fields, since: stored?.updated_at ?? null } };
}

/** A key that Stripe has without the project's prefix may have had to yield to one that the project gave. */
function expectedLookupKey(projectId: string, inStripe: string | null, stored: string | null): string | null {
  if (inStripe !== null && !isPrefixed(projectId, inStripe) && stored === null) return null;
  return fromStripeLookupKey(projectId, inStripe);
}

/** @returns null when Stripe has it no more */
async function retrieve({ connection }: Look, id: string): Promise<Stripe.Price | null> {
  try {
    const found = await connection.client.prices.retrieve(id);
    return found.deleted ? null : found;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
