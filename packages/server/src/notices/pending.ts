import { evaluate } from '@tollgate/core';
import type { Selectable } from 'kysely';
import { decisionFieldsOf, entitlementsView } from '../entitlements/views.ts';
import type { Database } from '../platform/database.ts';
import type { Schema } from '../schema.ts';

/** The only type so far. */
const NOTICE_TYPE = 'entitlements.updated';

/** A notice that an endpoint has not been sent yet. */
export interface PendingNotice {
  id: string;
  customerId: string;
  sequence: number;
  attempts: number;
  nextAttemptAt: Date;
  /** The JSON to send: the same however often it is sent. */
  body: string;
}

/**
 * What an endpoint is to be sent next, by customer and in each customer's order.
 * @param after - goes on behind this one
 */
export async function pendingNotices(
  db: Database,
  endpointId: string,
  { after, limit }: { after: PendingNotice | null; limit: number },
): Promise<PendingNotice[]> {
  let query = db
    .selectFrom('tollgate.notice_deliveries as delivery')
    .innerJoin('tollgate.notices as notice', 'notice.id', 'delivery.notice_id')
    .innerJoin('tollgate.customers as customer', 'customer.id', 'notice.customer_id')
    .innerJoin('tollgate.snapshot_versions as snapshot', (join) =>
      join.onRef('snapshot.customer_id', '=', 'notice.customer_id').onRef('snapshot.version', '=', 'notice.version'),
    )
    .where('delivery.endpoint_id', '=', endpointId)
    .where('delivery.status', '=', 'pending')
    .selectAll('notice')
    .select(['delivery.attempts', 'delivery.next_attempt_at', 'customer.external_id', 'snapshot.body'])
    .orderBy('delivery.customer_id')
    .orderBy('delivery.sequence')
    .limit(limit);
  if (after !== null) {
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('delivery.customer_id', 'delivery.sequence'), '>', tuple(after.customerId, after.sequence)),
    );
  }
  const rows = await query.execute();
  return rows.map((row) => ({
    id: row.id,
    customerId: row.customer_id,
    sequence: row.sequence,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at,
    body: JSON.stringify(noticeBody(row, row.external_id, row.body)),
  }));
}

type Notice = Pick<
  Selectable<Schema['tollgate.notices']>,
  'project_id' | 'sequence' | 'version' | 'changed_at' | 'cause' | 'changes'
>;
type Body = Selectable<Schema['tollgate.snapshot_versions']>['body'];

/** Whole, so that whoever missed the ones before still knows all there is: what `GET /entitlements` answered then. */
function noticeBody(notice: Notice, externalId: string, body: Body) {
  const { project_id: projectId, version, sequence, cause, changed_at: changedAt } = notice;
  return {
    type: NOTICE_TYPE,
    timestamp: changedAt.toISOString(),
    data: {
      object: 'notice',
      customer_id: externalId,
      sequence,
      cause,
      changes: notice.changes.map(({ feature, change, before, after }) => ({
        feature,
        change,
        before: decisionFieldsOf(before),
        after: decisionFieldsOf(after),
      })),
      snapshot: entitlementsView(projectId, externalId, version, evaluate(body, changedAt.getTime())),
    },
  };
}
