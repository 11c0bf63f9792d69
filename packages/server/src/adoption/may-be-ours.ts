import { idOf, idOrNull } from '../mirror/parse-shape.ts';
import { readStamps } from '../stripe/stamps.ts';
import type { Stripe } from '../stripe/types.ts';
import { linkedAmong } from './linked-among.ts';
import type { Work } from './work.ts';

/**
 * The sessions that are worth a closer look: one of the project's products was sold, its customer bought, or a stamp says
 * that it is the project's.
 * @param sessions - with `customer` and `line_items` expanded
 */
export async function thoseThatMayBeOurs(work: Work, sessions: readonly Stripe.Checkout.Session[]) {
  const payers = sessions.map(({ customer }) => idOrNull(customer));
  const linked = await linkedAmong(work, payers);
  const sold = await soldAmong(work, sessions.flatMap(productsIn));
  return sessions.filter((session, index) => {
    const { line_items: lines } = session;
    if (lines === undefined || lines.has_more || linked.has(payers[index] ?? '')) return true;
    const stamped = metadataOf(session).some((metadata) => readStamps(metadata)?.projectId === work.projectId);
    return stamped || productsIn(session).some((id) => work.products.has(id) || sold.has(id));
  });
}

function productsIn({ line_items: lines }: Stripe.Checkout.Session): string[] {
  return (lines?.data ?? []).flatMap(({ price }) => (price === null ? [] : [idOf(price.product)]));
}

function metadataOf({ metadata, customer }: Stripe.Checkout.Session) {
  const bare = customer === null || typeof customer === 'string' || customer.deleted === true;
  return bare ? [metadata] : [metadata, customer.metadata];
}

/** Those of the products that the project has, whichever the import was asked for. */
async function soldAmong({ db, connection, projectId }: Work, products: readonly string[]): Promise<Set<string>> {
  const rows = await db
    .selectFrom('tollgate.products')
    .select('id')
    .where('connection_id', '=', connection.id)
    .where('project_id', '=', projectId)
    .where((of) => of('id', '=', of.fn.any(of.val([...products]))))
    .execute();
  return new Set(rows.map(({ id }) => id));
}
