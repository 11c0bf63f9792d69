import { findCustomer } from '../customers/find.ts';
import type { Queryable } from '../platform/database.ts';
import { notFound, TollgateError } from '../platform/errors.ts';
import { getProject } from '../projects/find-project.ts';

/** What a run looks at: everything, one project, or one customer. */
export interface Scope {
  projectId: string | null;
  /** Tollgate's own `cust_…`. */
  customerId: string | null;
}

/**
 * The scope that a request names.
 * @param named.customerId - the app's own id
 * @throws TollgateError `not_found`, `invalid_request` for a customer without its project
 */
export async function scopeOf(
  db: Queryable,
  named: { projectId?: string | undefined; customerId?: string | undefined },
): Promise<Scope> {
  const { projectId, customerId } = named;
  if (projectId === undefined) {
    if (customerId === undefined) return { projectId: null, customerId: null };
    throw new TollgateError('invalid_request', 'customer_id is the id in one project. Send project_id too.', [
      { path: 'project_id', message: 'is required with customer_id' },
    ]);
  }
  await getProject(db, projectId);
  if (customerId === undefined) return { projectId, customerId: null };
  const customer = await findCustomer(db, projectId, customerId);
  if (customer === undefined) throw notFound('customer');
  return { projectId, customerId: customer.id };
}
