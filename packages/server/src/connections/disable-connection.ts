import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { TollgateError } from '../platform/errors.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { ConnectionDeps } from './deps.ts';
import { lockConnection, tellChanged } from './rows.ts';

/**
 * Takes a connection out of use: its secrets are forgotten, its webhooks are refused, and its history stays. Projects
 * that use it stand in the way.
 * @throws TollgateError `not_found`, `connection_in_use` (with `projects`), `conflict` for one from the settings
 */
export async function disableConnection(deps: ConnectionDeps, id: string, context: AuditContext): Promise<void> {
  const now = deps.clock.now();
  const connection = usable(deps, id);
  const endpoint = await deps.db.transaction().execute(async (tx) => {
    const row = await lockConnection(tx, id);
    if (row.origin === 'environment') {
      throw new TollgateError(
        'conflict',
        `The connection ${id} comes from the settings, and is there as long as they are.`,
      );
    }
    const users = await tx
      .selectFrom('tollgate.projects')
      .select('id')
      .where('connection_id', '=', id)
      .orderBy('id')
      .limit(20)
      .execute();
    if (users.length > 0) {
      throw new TollgateError(
        'connection_in_use',
        'Projects sell through the connection. It can be taken out of use only when none does.',
        [],
        { projects: users.map((project) => project.id) },
      );
    }
    await tx.deleteFrom('tollgate.connection_webhook_secrets').where('connection_id', '=', id).execute();
    await tx
      .updateTable('tollgate.connections')
      .set({
        secret_key: null,
        webhook_endpoint_id: null,
        webhook_url: null,
        disabled_at: new Date(now),
        updated_at: new Date(now),
      })
      .where('id', '=', id)
      .execute();
    const detail = { connection: id, account: row.account_id, livemode: row.livemode };
    await recordAudit(tx, { ...context, action: 'connection.disabled', projectId: null, detail }, now);
    await tellChanged(tx, id);
    return row.webhook_endpoint_id;
  });
  await deps.registry.reload();
  if (endpoint !== null && connection !== null) await removeEndpoint(deps, connection, endpoint);
}

function usable({ registry }: ConnectionDeps, id: string): StripeConnection | null {
  return registry.ids().includes(id) ? registry.get(id) : null;
}

/** Stripe would go on sending, and give up after some days. */
async function removeEndpoint({ log }: ConnectionDeps, { id, client }: StripeConnection, endpoint: string) {
  await client.webhookEndpoints
    .del(endpoint)
    .catch((error: unknown) =>
      log.warn(
        { err: error, connection: id, endpoint },
        'The webhook endpoint could not be deleted in Stripe; delete it there',
      ),
    );
}
