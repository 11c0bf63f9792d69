import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';

export interface AuditFilter {
  projectId?: string | undefined;
  /** The app's own id. */
  customerId?: string | undefined;
  actor?: string | undefined;
  action?: string | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}

export interface AuditEntryView {
  object: 'audit_entry';
  id: string;
  recorded_at: string;
  actor: string;
  key_id: string | null;
  action: string;
  project_id: string | null;
  customer_id: string | null;
  customer: string | null;
  reason: string | null;
  request_id: string | null;
  detail: Record<string, unknown>;
}

/** The audit trail, newest first. */
export async function listAudit(db: Database, filter: AuditFilter): Promise<Page<AuditEntryView>> {
  const limit = filter.limit ?? DEFAULT_LIMIT;
  let query = db
    .selectFrom('tollgate.audit_entries as entry')
    .leftJoin('tollgate.customers as customer', 'customer.id', 'entry.customer_id')
    .selectAll('entry')
    .select('customer.external_id')
    .orderBy('entry.position', 'desc')
    .limit(limit + 1);
  if (filter.projectId !== undefined) query = query.where('entry.project_id', '=', filter.projectId);
  if (filter.actor !== undefined) query = query.where('entry.actor', '=', filter.actor);
  if (filter.action !== undefined) query = query.where('entry.action', '=', filter.action);
  if (filter.customerId !== undefined) {
    const externalId = filter.customerId;
    // Through the projects, since the index of customers begins with the project.
    query = query.where('entry.customer_id', 'in', (of) =>
      of
        .selectFrom('tollgate.projects as project')
        .innerJoin('tollgate.customers as named', (join) =>
          join.onRef('named.project_id', '=', 'project.id').on('named.external_id', '=', externalId),
        )
        .select('named.id'),
    );
  }
  if (filter.cursor !== undefined) query = query.where('entry.position', '<', positionIn(filter.cursor));
  const rows = await query.execute();
  const found = page(rows, limit, (row) => String(row.position));
  return {
    ...found,
    data: found.data.map((row) => ({
      object: 'audit_entry',
      id: row.id,
      recorded_at: row.recorded_at.toISOString(),
      actor: row.actor,
      key_id: row.key_id,
      action: row.action,
      project_id: row.project_id,
      customer_id: row.external_id,
      customer: row.customer_id,
      reason: row.reason,
      request_id: row.request_id,
      detail: row.detail,
    })),
  };
}

function positionIn(cursor: string): number {
  const text = decodeCursor(cursor);
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new TollgateError('invalid_request', 'The cursor is not one of this list. Send next_cursor as it came.', [
      { path: 'cursor', message: 'is not a cursor of this list' },
    ]);
  }
  return Number(text);
}
