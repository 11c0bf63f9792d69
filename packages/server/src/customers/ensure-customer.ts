import type { Tx } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { type CustomerRow, findCustomer } from './find.ts';

export interface CustomerIdentity {
  projectId: string;
  /** The app's own id for the customer. */
  externalId: string;
  /** Epoch milliseconds. */
  now: number;
}

/**
 * The customer's row, created on first sight. Of several transactions that see a customer for the first time together,
 * one creates it and the others wait for its commit.
 */
export async function ensureCustomer(tx: Tx, identity: CustomerIdentity): Promise<CustomerRow> {
  const { projectId, externalId, now } = identity;
  const known = await findCustomer(tx, projectId, externalId);
  if (known !== undefined) return known;
  const at = new Date(now);
  const created = await tx
    .insertInto('tollgate.customers')
    .columns(['id', 'project_id', 'external_id', 'connection_id', 'created_at', 'updated_at'])
    .expression((of) =>
      of
        .selectFrom('tollgate.projects')
        .where('id', '=', projectId)
        // A project that changes its connection meanwhile is waited for.
        .forKeyShare()
        .select((select) => [
          select.val(newId('cust')).as('id'),
          'id as project_id',
          select.val(externalId).as('external_id'),
          'connection_id',
          select.cast<Date>(select.val(at), 'timestamptz').as('created_at'),
          select.cast<Date>(select.val(at), 'timestamptz').as('updated_at'),
        ]),
    )
    .onConflict((conflict) => conflict.columns(['project_id', 'external_id']).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (created !== undefined) return created;
  const made = await findCustomer(tx, projectId, externalId);
  if (made === undefined) throw new Error(`There is no project ${projectId} to create a customer in.`);
  return made;
}
