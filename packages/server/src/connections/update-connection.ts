import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Tx } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import type { Sealer } from '../platform/sealing.ts';
import { accountOf } from '../stripe/account.ts';
import { createStripeClient } from '../stripe/connections.ts';
import type { ConnectionDeps } from './deps.ts';
import { encryptionKeyMissing, livemodeOf } from './key-rules.ts';
import { pinOrRefuse } from './pin.ts';
import { type ConnectionRow, loadConnection, lockConnection, noSuchConnection, tellChanged } from './rows.ts';
import { hintOf, keyPlace } from './secrets.ts';
import { storeWebhookSecrets } from './store-webhook-secrets.ts';
import { ANSWER_WITHIN_MS } from './verify-accounts.ts';

export interface ConnectionPatch {
  /** null takes it away. */
  name?: string | null | undefined;
  secretKey?: string | undefined;
  addWebhookSecrets?: readonly string[] | undefined;
  /** Ids (`whs_…`) of those that are accepted no more. */
  retireWebhookSecrets?: readonly string[] | undefined;
}

/**
 * Changes a connection. A key is replaced by one of the same account and mode only. Signing secrets are added and retired,
 * so that old and new are accepted together for as long as Stripe signs with either.
 * @throws TollgateError `not_found`, `invalid_request`, `encryption_key_missing`, `conflict`,
 *   `connection_account_mismatch`, `stripe_refused`, `stripe_unavailable`
 */
export async function updateConnection(
  deps: ConnectionDeps,
  id: string,
  patch: ConnectionPatch,
  context: AuditContext,
): Promise<void> {
  const { row } = await loadConnection(deps.db, id, deps.clock.now());
  if (row.disabled_at !== null) throw noSuchConnection();
  const { addWebhookSecrets = [], retireWebhookSecrets = [], secretKey } = patch;
  if (deps.sealer === null && (secretKey !== undefined || addWebhookSecrets.length > 0)) throw encryptionKeyMissing();
  const key = secretKey === undefined ? null : await replacement(row, secretKey);
  const now = deps.clock.now();
  await deps.db.transaction().execute(async (tx) => {
    const before = await lockConnection(tx, id);
    if (key !== null && before.account_id !== row.account_id) throw changedMeanwhile();
    const changes: Record<string, unknown> = {};
    if (patch.name !== undefined && patch.name !== before.name) {
      changes.name = { before: before.name, after: patch.name };
    }
    if (key !== null) changes.secret_key = { before: before.secret_key_hint, after: hintOf(key.secretKey) };
    const added = await storeWebhookSecrets(tx, deps.sealer as Sealer, {
      connectionId: id,
      secrets: addWebhookSecrets,
      now,
    });
    const retired = await retire(tx, deps, before, retireWebhookSecrets, now);
    if (added.length > 0) changes.webhook_secrets_added = added;
    if (retired.length > 0) changes.webhook_secrets_retired = retired;
    if (Object.keys(changes).length === 0) return;
    await tx
      .updateTable('tollgate.connections')
      .set({
        ...(patch.name === undefined ? {} : { name: patch.name }),
        ...(key === null
          ? {}
          : {
              secret_key: (deps.sealer as Sealer).seal(key.secretKey, keyPlace(id)),
              secret_key_hint: hintOf(key.secretKey),
              account_id: key.accountId,
              account_verified: key.verified,
            }),
        updated_at: new Date(now),
      })
      .where('id', '=', id)
      .execute();
    const detail = { connection: id, changes };
    await recordAudit(tx, { ...context, action: 'connection.updated', projectId: null, detail }, now);
    await tellChanged(tx, id);
  });
  await deps.registry.reload();
}

/** Looks at the key that is to take the place of the present one. */
async function replacement(row: ConnectionRow, secretKey: string) {
  if (row.origin === 'environment') {
    throw new TollgateError(
      'conflict',
      `The key of the connection ${row.id} comes from STRIPE_SECRET_KEY. Change it there and restart.`,
    );
  }
  if (livemodeOf(secretKey) !== row.livemode) {
    const mode = row.livemode ? 'live' : 'test';
    throw new TollgateError(
      'connection_account_mismatch',
      `The connection ${row.id} is in ${mode} mode, and this key is not. Live and test never mix: add the other mode as a connection of its own.`,
      [{ path: 'secret_key', message: `is not of ${mode} mode` }],
    );
  }
  const client = createStripeClient({ secretKey, apiBase: row.api_base });
  const pinned = pinOrRefuse(row.id, row.account_id, await accountOf(client, { timeoutMs: ANSWER_WITHIN_MS }));
  return { secretKey, ...pinned };
}

/** @returns the ids of the secrets that are accepted no more */
async function retire(
  tx: Tx,
  { registry }: ConnectionDeps,
  { id, origin }: ConnectionRow,
  secretIds: readonly string[],
  now: number,
): Promise<string[]> {
  if (secretIds.length === 0) return [];
  const gone = await tx
    .deleteFrom('tollgate.connection_webhook_secrets')
    .where('connection_id', '=', id)
    .where('id', 'in', secretIds)
    .returning('id')
    .execute();
  const unknown = secretIds.filter((secretId) => gone.every((row) => row.id !== secretId));
  if (unknown.length > 0) {
    throw new TollgateError('invalid_request', 'Only stored secrets of this connection can be retired.', [
      ...unknown.map((secretId) => ({
        path: `retire_webhook_secrets.${secretIds.indexOf(secretId)}`,
        message: 'is no secret of this connection',
      })),
    ]);
  }
  const left = await loadConnection(tx, id, now);
  const fixed = origin === 'environment' ? registry.get(id).webhookSecrets.length : 0;
  if (left.secrets.length === 0 && fixed === 0) {
    throw new TollgateError(
      'conflict',
      'That would leave no signing secret, and every webhook would be refused. Add the new one in the same request.',
    );
  }
  return gone.map((row) => row.id);
}

function changedMeanwhile(): TollgateError {
  return new TollgateError('conflict', 'The connection was changed meanwhile. Look at it again, and repeat.');
}
