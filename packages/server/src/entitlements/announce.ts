import type { FeatureChange } from '@tollgate/core';
import { sql } from 'kysely';
import type { Cause } from '../facts/cause.ts';
import type { Tx } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { enqueue } from '../platform/jobs.ts';

/** That time alone changed something is a cause of notices, and of no version. */
export type NoticeCause = Cause | { type: 'time'; id: string };

/** Something that changed for a customer. */
export interface News {
  projectId: string;
  /** Tollgate's own `cust_…`. */
  customerId: string;
  externalId: string;
  /** The snapshot's version that holds from then on. */
  version: number;
  changedAt: Date;
  cause: NoticeCause;
  changes: readonly FeatureChange[];
}

/**
 * Writes down what the project's endpoints are to be told, in the transaction of the change itself, with the jobs that
 * tell them. An endpoint hears of what changes after it was made; where a project has none, nothing is written.
 * @param news - at most one of a customer, whose row the caller has locked
 */
export async function announce(tx: Tx, news: readonly News[]): Promise<void> {
  if (news.length === 0) return;
  const rows = JSON.stringify(
    news.map((one) => ({
      id: newId('ntc'),
      project_id: one.projectId,
      customer_id: one.customerId,
      external_id: one.externalId,
      version: one.version,
      changed_at: one.changedAt.toISOString(),
      cause: one.cause,
      changes: one.changes,
    })),
  );
  const queued = await sql<{ endpoint_id: string }>`
    with news as (
      select * from jsonb_to_recordset(${rows}::jsonb) as news (
        id text, project_id text, customer_id text, external_id text, version bigint,
        changed_at timestamptz, cause jsonb, changes jsonb)
       where exists (select from tollgate.webhook_endpoints as endpoint
                      where endpoint.project_id = news.project_id and endpoint.deleted_at is null
                        and endpoint.created_at <= news.changed_at)
    ), counted as (
      update tollgate.snapshots as snapshot set notices = snapshot.notices + 1
        from news
       where snapshot.project_id = news.project_id and snapshot.external_id = news.external_id
      returning snapshot.customer_id, snapshot.notices as sequence
    ), told as (
      insert into tollgate.notices (id, project_id, customer_id, sequence, version, changed_at, cause, changes)
      select news.id, news.project_id, news.customer_id, counted.sequence, news.version, news.changed_at,
             news.cause, news.changes
        from news join counted using (customer_id)
      returning id, project_id, customer_id, sequence, changed_at
    ), queued as (
      insert into tollgate.notice_deliveries (endpoint_id, notice_id, customer_id, sequence, status, next_attempt_at)
      select endpoint.id, told.id, told.customer_id, told.sequence, 'pending', now()
        from told join tollgate.webhook_endpoints as endpoint
          on endpoint.project_id = told.project_id and endpoint.deleted_at is null
         and endpoint.created_at <= told.changed_at
      returning endpoint_id
    )
    select distinct endpoint_id from queued`.execute(tx);
  for (const { endpoint_id } of queued.rows) await requestDelivery(tx, endpoint_id);
}

/**
 * Asks for what an endpoint has not been told yet to be sent, one pass at a time for an endpoint. Jobs without a key:
 * one that all share would make everybody who changes something wait for everybody else's commit.
 */
export async function requestDelivery(tx: Tx, endpointId: string): Promise<void> {
  await enqueue(tx, 'deliver_notices', { endpoint_id: endpointId }, { queueName: deliveryQueue(endpointId) });
}

export function deliveryQueue(endpointId: string): string {
  return `notices:${endpointId}`;
}
