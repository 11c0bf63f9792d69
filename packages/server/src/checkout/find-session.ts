import type { Queryable } from '../platform/database.ts';
import { notFound, TollgateError } from '../platform/errors.ts';
import type { CheckoutDeps } from './deps.ts';
import { refreshSession } from './refresh-session.ts';
import type { SessionRow } from './save-session.ts';

export interface FoundSession {
  row: SessionRow;
  /** The app's own id. */
  externalId: string;
}

/**
 * A session as it stands at Stripe this moment, its purchase applied. A success page that asks for it never races the
 * webhook.
 * @throws TollgateError `not_found` (also another project's); `stripe_unavailable` and `stripe_refused` where the
 *   purchase has not been applied yet: what is applied is answered without Stripe
 */
export async function findSession(deps: CheckoutDeps, projectId: string, id: string): Promise<FoundSession> {
  const { row, externalId } = await storedSession(deps.db, projectId, id);
  try {
    return { row: await refreshSession(deps, row), externalId };
  } catch (error) {
    const unavailable = error instanceof TollgateError && error.code === 'stripe_unavailable';
    if (unavailable && row.applied) return { row, externalId };
    throw error;
  }
}

async function storedSession(db: Queryable, projectId: string, id: string): Promise<FoundSession> {
  const found = await db
    .selectFrom('tollgate.checkout_sessions as session')
    .innerJoin('tollgate.customers as customer', 'customer.id', 'session.customer_id')
    .selectAll('session')
    .select('customer.external_id')
    .where('session.id', '=', id)
    .where('session.project_id', '=', projectId)
    .executeTakeFirst();
  if (found === undefined) throw notFound('checkout session');
  const { external_id: externalId, ...row } = found;
  return { row, externalId };
}
