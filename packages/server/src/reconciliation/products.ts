import { productIn } from '../catalog/find-product.ts';
import { productOfStripe } from '../catalog/mirror-product.ts';
import { parseShape } from '../mirror/parse-shape.ts';
import { ProductShape } from '../mirror/shapes.ts';
import { productOwner } from '../mirror/sync-product.ts';
import { isMissing } from '../stripe/refusal.ts';
import type { Stripe } from '../stripe/types.ts';
import { fieldChanges } from './field-changes.ts';
import type { Kind, Look, Verdict } from './kind.ts';
import { notSeen } from './stored-facts.ts';
import { outOfScope } from './verdicts.ts';

/** Products that are known, and those that are stamped for a project and never arrived. */
export const products: Kind<Stripe.Product> = {
  name: 'product',
  refOf: (id) => ({ type: 'product', id }),
  storedId: ({ id }) => id,

  async list(look, { limit, startingAfter }) {
    const from = startingAfter === undefined ? {} : { starting_after: startingAfter };
    return await look.connection.client.products.list({ limit, ...from });
  },

  compare: async (look, listed) => await compareFetched(look, listed),

  async compareOne(look, id) {
    const found = await look.ask('product', () => retrieve(look, id));
    if (found !== null) return await compareFetched(look, found);
    const stored = await productIn(look.db, look.connection.id, id);
    if (stored === undefined || stored.deleted) return { status: 'in_sync' };
    const fields = [{ field: 'deleted', before: false, after: true }];
    const drift = { kind: 'missing_in_stripe', projectId: stored.project_id, customerId: null, fields } as const;
    return { status: 'drift', drift: { ...drift, since: stored.updated_at } };
  },

  async unmet({ db, connection, scope }, { since, after, limit }) {
    let query = db
      .selectFrom('tollgate.products as product')
      .innerJoin('tollgate.projects as project', 'project.id', 'product.project_id')
      .where('project.connection_id', '=', connection.id)
      .where('product.deleted', '=', false)
      .where('product.id', '>', after)
      .where(notSeen(connection.id, 'product', 'product.id', since))
      .select('product.id')
      .orderBy('product.id')
      .limit(limit);
    if (scope.projectId !== null) query = query.where('product.project_id', '=', scope.projectId);
    return (await query.execute()).map(({ id }) => id);
  },
};

async function compareFetched(look: Look, listed: Stripe.Product): Promise<Verdict> {
  const product = parseShape(ProductShape, listed, 'product');
  const stored = await productIn(look.db, look.connection.id, product.id);
  const owner = await productOwner(look.db, look.connection, product, stored?.project_id ?? null);
  if ('refused' in owner) return { status: owner.refused.status === 'parked' ? 'parked' : 'ignored' };
  const { projectId } = owner;
  if (outOfScope(look.scope, { projectId, customerId: null })) return { status: 'out_of_scope' };
  const { name, description, active } = productOfStripe(listed);
  const was = stored && { name: stored.name, description: stored.description, active: stored.active };
  const fields = fieldChanges(was ?? null, { name, description, active });
  if (stored !== undefined && fields.length === 0) return { status: 'in_sync' };
  const kind = stored === undefined ? 'missing_locally' : 'different';
  return { status: 'drift', drift: { kind, projectId, customerId: null, fields, since: stored?.updated_at ?? null } };
}

/** @returns null when Stripe has it no more */
async function retrieve({ connection }: Look, id: string): Promise<Stripe.Product | null> {
  try {
    const found = await connection.client.products.retrieve(id);
    return 'deleted' in found && (found as { deleted?: unknown }).deleted === true ? null : found;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
