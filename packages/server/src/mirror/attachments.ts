import type { Queryable } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';

/** Whom an operator has attached an object to. */
export interface Attachment {
  projectId: string;
  customerId: string;
}

/** @param ids - the object's own id first, then those of what it came out of: the first that was attached decides */
export async function attachmentOf(
  db: Queryable,
  connection: Pick<StripeConnection, 'id'>,
  ids: readonly string[],
): Promise<Attachment | undefined> {
  const attached = await attachmentsOf(db, connection, ids);
  return ids.map((id) => attached.get(id)).find((attachment) => attachment !== undefined);
}

/** Those of several objects, by their ids. */
export async function attachmentsOf(
  db: Queryable,
  connection: Pick<StripeConnection, 'id'>,
  ids: readonly string[],
): Promise<Map<string, Attachment>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('tollgate.attachments as attachment')
    .innerJoin('tollgate.projects as project', 'project.id', 'attachment.project_id')
    .where('attachment.connection_id', '=', connection.id)
    .where('project.connection_id', '=', connection.id)
    .where('attachment.object_id', 'in', ids)
    .select(['attachment.object_id', 'attachment.project_id', 'attachment.customer_id'])
    .execute();
  return new Map(rows.map((row) => [row.object_id, { projectId: row.project_id, customerId: row.customer_id }]));
}
