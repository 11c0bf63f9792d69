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
  connection: StripeConnection,
  ids: readonly string[],
): Promise<Attachment | undefined> {
  if (ids.length === 0) return undefined;
  const rows = await db
    .selectFrom('tollgate.attachments as attachment')
    .innerJoin('tollgate.projects as project', 'project.id', 'attachment.project_id')
    .where('attachment.connection_id', '=', connection.id)
    .where('project.connection_id', '=', connection.id)
    .where('attachment.object_id', 'in', ids)
    .select(['attachment.object_id', 'attachment.project_id', 'attachment.customer_id'])
    .execute();
  const byId = new Map(rows.map((row) => [row.object_id, row]));
  const found = ids.map((id) => byId.get(id)).find((row) => row !== undefined);
  return found === undefined ? undefined : { projectId: found.project_id, customerId: found.customer_id };
}
