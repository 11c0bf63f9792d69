import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { TollgateError } from '../platform/errors.ts';
import type { Sealer } from '../platform/sealing.ts';
import { STRIPE_API_VERSION, type StripeConnection } from '../stripe/connections.ts';
import { askStripe, isMissing } from '../stripe/refusal.ts';
import type { Stripe } from '../stripe/types.ts';
import type { ConnectionDeps } from './deps.ts';
import { encryptionKeyMissing } from './key-rules.ts';
import { lockConnection, tellChanged } from './rows.ts';
import { secretIdOf, storeWebhookSecrets } from './store-webhook-secrets.ts';

/** What the replaced endpoint sent last is on its way, and is signed with the replaced secret. */
const OVERLAP_MS = 24 * 60 * 60 * 1000;

/**
 * Makes the connection's endpoint in Stripe, with the types that are acted upon and the pinned version, and keeps its
 * secret, which Stripe shows this once. Neither can the version of an endpoint be changed nor its secret be rolled over
 * the API: called again, it makes another and deletes the former, whose secret is accepted for a day. So nothing is
 * missed, and what both send counts once.
 * @param url - where Stripe reaches the service; null: the connection's path under PUBLIC_URL
 * @throws TollgateError `not_found`, `invalid_request`, `encryption_key_missing`, `conflict` for the sandbox,
 *   `connection_unavailable`, `stripe_refused`, `stripe_unavailable`
 */
export async function setUpWebhook(
  deps: ConnectionDeps,
  id: string,
  url: string | null,
  context: AuditContext,
): Promise<void> {
  const connection = await deps.registry.find(id);
  if (connection.isSandbox) {
    throw new TollgateError('conflict', 'The sandbox sends its events here by itself. There is nothing to set up.');
  }
  const { sealer } = deps;
  if (sealer === null) throw encryptionKeyMissing();
  const target = url === null ? defaultUrl(deps, id) : checkedUrl(url, connection.livemode);
  const former = await askStripe(() => ownEndpoints(connection));
  const made = await askStripe(() =>
    connection.client.webhookEndpoints.create({
      url: target,
      enabled_events: deps.eventTypes as Stripe.WebhookEndpointCreateParams.EnabledEvent[],
      api_version: STRIPE_API_VERSION as Stripe.WebhookEndpointCreateParams.ApiVersion,
      description: `Tollgate (${connection.installation}), connection ${id}`,
      metadata: marks(connection),
    }),
  );
  const replaced = await keep(deps, sealer, { id, target, endpoint: made, former }, context);
  await deps.registry.reload();
  for (const endpoint of replaced) await remove(connection, endpoint);
}

/** @returns the endpoints that this one takes the place of */
async function keep(
  { db, clock }: ConnectionDeps,
  sealer: Sealer,
  made: { id: string; target: string; endpoint: Stripe.WebhookEndpoint; former: readonly string[] },
  context: AuditContext,
): Promise<string[]> {
  const { id, target, endpoint, former } = made;
  const { secret } = endpoint;
  if (secret === undefined)
    throw new TollgateError('stripe_shape_unexpected', 'Stripe made an endpoint without a secret.');
  const now = clock.now();
  return await db.transaction().execute(async (tx) => {
    const row = await lockConnection(tx, id);
    const before = row.webhook_endpoint_id;
    if (before !== null) {
      await tx
        .updateTable('tollgate.connection_webhook_secrets')
        .set({ expires_at: new Date(now + OVERLAP_MS) })
        .where('connection_id', '=', id)
        .where('id', '=', secretIdOf(id, before))
        .where('expires_at', 'is', null)
        .execute();
    }
    await storeWebhookSecrets(tx, sealer, { connectionId: id, secrets: [secret], endpointId: endpoint.id, now });
    await tx
      .updateTable('tollgate.connections')
      .set({ webhook_endpoint_id: endpoint.id, webhook_url: target, updated_at: new Date(now) })
      .where('id', '=', id)
      .execute();
    const replaced = [...new Set([...former, ...(before === null ? [] : [before])])];
    const detail = { connection: id, endpoint: endpoint.id, url: target, replaced };
    await recordAudit(tx, { ...context, action: 'connection.webhook_created', projectId: null, detail }, now);
    await tellChanged(tx, id);
    return replaced;
  });
}

/** Endpoints that were made here for the connection, also those that nobody kept because a process died. */
async function ownEndpoints(connection: StripeConnection): Promise<string[]> {
  const own: string[] = [];
  const wanted = Object.entries(marks(connection));
  for await (const { id, metadata } of connection.client.webhookEndpoints.list({ limit: 100 })) {
    if (wanted.every(([name, value]) => metadata[name] === value)) own.push(id);
  }
  return own;
}

function marks({ id, installation }: StripeConnection): Record<string, string> {
  return { tollgate_installation: installation, tollgate_connection: id };
}

async function remove({ client }: StripeConnection, endpoint: string): Promise<void> {
  await askStripe(async () => {
    try {
      await client.webhookEndpoints.del(endpoint);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  });
}

function defaultUrl({ publicUrl }: ConnectionDeps, id: string): string {
  if (publicUrl !== null) return `${publicUrl}/api/v1/webhooks/stripe/${id}`;
  throw new TollgateError(
    'invalid_request',
    'Nobody said where Stripe reaches this service. Set PUBLIC_URL, or send url.',
    [{ path: 'url', message: 'is required without PUBLIC_URL' }],
  );
}

function checkedUrl(text: string, livemode: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const message =
    url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== ''
      ? 'must be a URL such as https://billing.example/api/v1/webhooks/stripe/acme'
      : livemode && url.protocol === 'http:'
        ? 'must be https'
        : null;
  if (message === null) return text;
  throw new TollgateError('invalid_request', `url ${message}.`, [{ path: 'url', message }]);
}
