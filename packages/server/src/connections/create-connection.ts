import { sql } from 'kysely';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Tx } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { accountOf } from '../stripe/account.ts';
import { createStripeClient } from '../stripe/connections.ts';
import type { ConnectionDeps } from './deps.ts';
import { encryptionKeyMissing, livemodeOf, refuseLive, safeApiBase } from './key-rules.ts';
import { pinOrRefuse } from './pin.ts';
import { type ConnectionRow, tellChanged } from './rows.ts';
import { hintOf, keyPlace } from './secrets.ts';
import { storeWebhookSecrets } from './store-webhook-secrets.ts';
import { ANSWER_WITHIN_MS } from './verify-accounts.ts';

export interface CreateConnectionInput {
  id: string;
  name: string | null;
  secretKey: string;
  webhookSecrets: readonly string[];
  /** Another Stripe-compatible host. */
  apiBase: string | null;
}

/**
 * Adds a Stripe account in one mode. Stripe is asked whose the key is; that account is what the connection stays of. One
 * that was taken out of use can be added again, with a key of the same account and mode.
 * @throws TollgateError `encryption_key_missing`, `invalid_request`, `live_refused`, `connection_exists` (with the
 *   `connection` that has the account), `connection_account_mismatch`, `stripe_refused`, `stripe_unavailable`
 */
export async function createConnection(
  deps: ConnectionDeps,
  input: CreateConnectionInput,
  context: AuditContext,
): Promise<void> {
  const { id, name, secretKey, webhookSecrets } = input;
  const { sealer } = deps;
  if (sealer === null) throw encryptionKeyMissing();
  const livemode = livemodeOf(secretKey);
  const apiBase = input.apiBase === null ? null : safeApiBase(input.apiBase, livemode);
  refuseLive(livemode, deps.liveRefusals);
  const former = await deps.db.selectFrom('tollgate.connections').selectAll().where('id', '=', id).executeTakeFirst();
  refuseTakenId(id, livemode, former);
  const answer = await accountOf(createStripeClient({ secretKey, apiBase }), { timeoutMs: ANSWER_WITHIN_MS });
  const { accountId, verified } = pinOrRefuse(id, former?.account_id ?? null, answer);

  const now = deps.clock.now();
  const at = new Date(now);
  await deps.db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('tollgate.connections', 0))`.execute(tx);
    await refuseTakenAccount(tx, { id, accountId, livemode });
    const state = {
      name,
      origin: 'stored' as const,
      livemode,
      account_id: accountId,
      account_verified: verified,
      api_base: apiBase,
      secret_key: sealer.seal(secretKey, keyPlace(id)),
      secret_key_hint: hintOf(secretKey),
      webhook_endpoint_id: null,
      webhook_url: null,
      disabled_at: null,
      updated_at: at,
    };
    const made = await tx
      .insertInto('tollgate.connections')
      .values({ id, ...state, created_at: at })
      .onConflict((conflict) =>
        conflict
          .column('id')
          .doUpdateSet(state)
          .where('tollgate.connections.disabled_at', 'is not', null)
          .where('tollgate.connections.livemode', '=', livemode),
      )
      .returning('id')
      .executeTakeFirst();
    if (made === undefined) throw exists(id);
    const secrets = await storeWebhookSecrets(tx, sealer, { connectionId: id, secrets: webhookSecrets, now });
    const detail = {
      connection: id,
      account: accountId,
      livemode,
      api_base: apiBase,
      secret_key: hintOf(secretKey),
      webhook_secrets: secrets,
    };
    await recordAudit(tx, { ...context, action: 'connection.created', projectId: null, detail }, now);
    await tellChanged(tx, id);
  });
  await deps.registry.reload();
}

function refuseTakenId(id: string, livemode: boolean, former: ConnectionRow | undefined): void {
  if (former === undefined) return;
  if (former.disabled_at === null) throw exists(id);
  if (former.livemode === livemode) return;
  throw new TollgateError(
    'connection_exists',
    `There was a connection "${id}" in ${former.livemode ? 'live' : 'test'} mode. Live and test never mix: choose another id.`,
    [{ path: 'id', message: 'was of the other mode' }],
  );
}

/** Two connections of one account would each take what is sold through the other for somebody else's. */
async function refuseTakenAccount(
  tx: Tx,
  { id, accountId, livemode }: { id: string; accountId: string | null; livemode: boolean },
): Promise<void> {
  if (accountId === null) return;
  const holder = await tx
    .selectFrom('tollgate.connections')
    .select('id')
    .where('account_id', '=', accountId)
    .where('livemode', '=', livemode)
    .where('disabled_at', 'is', null)
    .where('id', '<>', id)
    .executeTakeFirst();
  if (holder === undefined) return;
  throw new TollgateError(
    'connection_exists',
    `The connection "${holder.id}" is of the Stripe account ${accountId} in this mode already. Projects can share it.`,
    [{ path: 'secret_key', message: 'is of an account that has a connection' }],
    { connection: holder.id },
  );
}

function exists(id: string): TollgateError {
  return new TollgateError(
    'connection_exists',
    `There is a connection "${id}". Choose another id, or PATCH that one.`,
    [{ path: 'id', message: 'is taken' }],
  );
}
