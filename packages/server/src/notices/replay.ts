import { sql } from 'kysely';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { findCustomer } from '../customers/find.ts';
import { requestDelivery } from '../entitlements/announce.ts';
import { notFound } from '../platform/errors.ts';
import type { EndpointTarget } from './change-endpoint.ts';
import type { NoticeDeps } from './deps.ts';
import { lockEndpoint } from './find-endpoint.ts';
import { KEPT_MS } from './forget.ts';

export interface Replay extends EndpointTarget {
  since: Date;
  /** The app's own id; undefined: every customer. */
  customerId: string | undefined;
}

/**
 * Sends again what the endpoint was told since a moment, or would have been told had it been there: in order, under the
 * ids that the notices had. Notices are kept for 30 days.
 * @returns how many notices are on their way
 * @throws TollgateError `not_found`
 */
export async function replayNotices({ db, clock }: NoticeDeps, replay: Replay, context: AuditContext): Promise<number> {
  const { projectId, endpointId, since } = replay;
  const now = clock.now();
  // What is older is being removed, and goes nowhere any more.
  const from = new Date(Math.max(since.getTime(), now - KEPT_MS));
  return await db.transaction().execute(async (tx) => {
    await lockEndpoint(tx, projectId, endpointId);
    const customer =
      replay.customerId === undefined ? null : ((await findCustomer(tx, projectId, replay.customerId)) ?? 'unknown');
    if (customer === 'unknown') throw notFound('customer');
    const { rows } = await sql<{ count: number }>`
      with queued as (
        insert into tollgate.notice_deliveries (endpoint_id, notice_id, customer_id, sequence, status, next_attempt_at)
        select ${endpointId}, id, customer_id, sequence, 'pending', now()
          from tollgate.notices
         where project_id = ${projectId} and changed_at >= ${from}
           and (${customer?.id ?? null}::text is null or customer_id = ${customer?.id ?? null})
        on conflict (endpoint_id, notice_id) do update set status = 'pending', next_attempt_at = now()
        returning 1
      )
      select count(*) as count from queued`.execute(tx);
    await tx.updateTable('tollgate.webhook_endpoints').set({ retry_at: null }).where('id', '=', endpointId).execute();
    await requestDelivery(tx, endpointId);
    const queued = rows[0]?.count ?? 0;
    const detail = { endpoint: endpointId, since: since.toISOString(), queued };
    const customerId = customer?.id ?? null;
    await recordAudit(tx, { ...context, action: 'webhook_endpoint.replayed', projectId, customerId, detail }, now);
    return queued;
  });
}
