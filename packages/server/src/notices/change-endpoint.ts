/** What can be done to an endpoint once it is there; each act with its entry in the audit trail. */
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { requestDelivery } from '../entitlements/announce.ts';
import { refuseBadUrl, withoutQuery } from './create-endpoint.ts';
import type { NoticeDeps } from './deps.ts';
import { lockEndpoint } from './find-endpoint.ts';
import { makeDue } from './make-due.ts';
import { type EndpointRow, needSealer, secretContext } from './secrets.ts';
import { newSigningSecret } from './signing.ts';

/** Each adds a signature to every notice: with too many, receivers refuse the header. The oldest goes first. */
const MOST_SECRETS = 5;

export interface EndpointTarget {
  projectId: string;
  endpointId: string;
}

export interface EndpointPatch {
  url?: string | undefined;
  description?: string | null | undefined;
  status?: EndpointRow['status'] | undefined;
}

/**
 * Changes an endpoint. One that is enabled again, or has another address, is sent what it missed. Where nothing changes,
 * nothing is written down.
 * @throws TollgateError `not_found`, `invalid_request`
 */
export async function updateEndpoint(
  { db, clock, ownPorts }: NoticeDeps,
  { projectId, endpointId }: EndpointTarget,
  patch: EndpointPatch,
  context: AuditContext,
): Promise<EndpointRow> {
  if (patch.url !== undefined) refuseBadUrl(patch.url, ownPorts);
  const now = clock.now();
  return await db.transaction().execute(async (tx) => {
    const before = await lockEndpoint(tx, projectId, endpointId);
    const changes = changesOf(before, patch);
    if (Object.keys(changes).length === 0) return before;
    // A new address, or a new beginning, is not judged by what failed before.
    const anew = changes.url !== undefined || changes.status !== undefined;
    const row = await tx
      .updateTable('tollgate.webhook_endpoints')
      .set({
        ...changes,
        ...(changes.status === undefined
          ? {}
          : { disabled_reason: changes.status === 'enabled' ? null : ('requested' as const) }),
        ...(anew ? { failing_since: null, retry_at: null } : {}),
        updated_at: new Date(now),
      })
      .where('id', '=', endpointId)
      .returningAll()
      .executeTakeFirstOrThrow();
    if (anew && row.status === 'enabled') {
      await makeDue(tx, endpointId);
      await requestDelivery(tx, endpointId);
    }
    const shown = { ...changes, ...(changes.url === undefined ? {} : { url: withoutQuery(changes.url) }) };
    const detail = { endpoint: endpointId, changes: shown };
    await recordAudit(tx, { ...context, action: 'webhook_endpoint.updated', projectId, detail }, now);
    return row;
  });
}

/** What of a patch is not so already. */
function changesOf(before: EndpointRow, { url, description, status }: EndpointPatch): EndpointPatch {
  return {
    ...(url === undefined || url === before.url ? {} : { url }),
    ...(description === undefined || description === before.description ? {} : { description }),
    ...(status === undefined || status === before.status ? {} : { status }),
  };
}

/**
 * Gives an endpoint a new signing secret. The one before is used beside it for the overlap, so that no notice is refused
 * while the receiver is changed.
 * @returns the new secret, shown this once
 * @throws TollgateError `not_found`, `encryption_key_missing`
 */
export async function rotateSigningSecret(
  { db, clock, sealer }: NoticeDeps,
  { projectId, endpointId, overlapSeconds }: EndpointTarget & { overlapSeconds: number },
  context: AuditContext,
): Promise<{ row: EndpointRow; signingSecret: string }> {
  const now = clock.now();
  const signingSecret = newSigningSecret();
  const sealed = needSealer(sealer).seal(signingSecret, secretContext(endpointId));
  const row = await db.transaction().execute(async (tx) => {
    const { secrets } = await lockEndpoint(tx, projectId, endpointId);
    const end = now + overlapSeconds * 1000;
    const kept = secrets
      .map((secret) => ({ ...secret, expires_at: earlier(secret.expires_at, end) }))
      .filter((secret) => Date.parse(secret.expires_at) > now)
      .slice(0, MOST_SECRETS - 1);
    const changed = await tx
      .updateTable('tollgate.webhook_endpoints')
      .set({ secrets: JSON.stringify([{ sealed, expires_at: null }, ...kept]), updated_at: new Date(now) })
      .where('id', '=', endpointId)
      .returningAll()
      .executeTakeFirstOrThrow();
    const detail = { endpoint: endpointId, overlap_seconds: overlapSeconds };
    await recordAudit(tx, { ...context, action: 'webhook_endpoint.secret_rotated', projectId, detail }, now);
    return changed;
  });
  return { row, signingSecret };
}

function earlier(expiresAt: string | null, end: number): string {
  return new Date(expiresAt === null ? end : Math.min(Date.parse(expiresAt), end)).toISOString();
}

/**
 * Removes an endpoint: nothing more is sent to it.
 * @throws TollgateError `not_found`
 */
export async function deleteEndpoint(
  { db, clock }: NoticeDeps,
  { projectId, endpointId }: EndpointTarget,
  context: AuditContext,
): Promise<EndpointRow> {
  const now = clock.now();
  return await db.transaction().execute(async (tx) => {
    await lockEndpoint(tx, projectId, endpointId);
    await tx.deleteFrom('tollgate.notice_deliveries').where('endpoint_id', '=', endpointId).execute();
    const row = await tx
      .updateTable('tollgate.webhook_endpoints')
      .set({ status: 'disabled', disabled_reason: 'requested', secrets: '[]', deleted_at: new Date(now) })
      .where('id', '=', endpointId)
      .returningAll()
      .executeTakeFirstOrThrow();
    const detail = { endpoint: endpointId };
    await recordAudit(tx, { ...context, action: 'webhook_endpoint.deleted', projectId, detail }, now);
    return row;
  });
}
