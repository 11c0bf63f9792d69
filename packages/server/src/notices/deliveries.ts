import type { Selectable } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
import type { Schema } from '../schema.ts';

export interface DeliveryQuery {
  endpointId: string;
  status?: 'pending' | 'delivered' | undefined;
  /** Tollgate's own `cust_…`. */
  customerId?: string | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}

type Stored = Selectable<Schema['tollgate.notice_deliveries']>;
type Told = Pick<Selectable<Schema['tollgate.notices']>, 'version' | 'changed_at' | 'cause'>;

export type DeliveryRow = Stored & Told & { external_id: string };

/** What an endpoint was sent, or is to be sent, newest first. */
export async function listDeliveries(db: Queryable, query: DeliveryQuery): Promise<Page<DeliveryRow>> {
  const { endpointId, status, customerId, limit = DEFAULT_LIMIT, cursor } = query;
  let rows = db
    .selectFrom('tollgate.notice_deliveries as delivery')
    .innerJoin('tollgate.notices as notice', 'notice.id', 'delivery.notice_id')
    .innerJoin('tollgate.customers as customer', 'customer.id', 'notice.customer_id')
    .where('delivery.endpoint_id', '=', endpointId)
    .selectAll('delivery')
    .select(['notice.version', 'notice.changed_at', 'notice.cause', 'customer.external_id'])
    .orderBy('delivery.notice_id', 'desc')
    .limit(limit + 1);
  if (status !== undefined) rows = rows.where('delivery.status', '=', status);
  if (customerId !== undefined) rows = rows.where('delivery.customer_id', '=', customerId);
  if (cursor !== undefined) rows = rows.where('delivery.notice_id', '<', decodeCursor(cursor));
  return page(await rows.execute(), limit, ({ notice_id }) => notice_id);
}
