/** What happens to connections at the start of a process, before anything relies on them. */
import { sql } from 'kysely';
import type { Clock } from '../platform/clock.ts';
import type { Database, Queryable } from '../platform/database.ts';
import type { Log } from '../platform/log.ts';
import { SealError, type Sealer, sealAgain } from '../platform/sealing.ts';
import type { Connections, StripeConnection } from '../stripe/connections.ts';
import { ConnectionsError } from './errors.ts';
import { loadRows } from './rows.ts';
import { keyPlace, webhookSecretPlace } from './secrets.ts';

export interface BringUpDeps {
  db: Database;
  clock: Clock;
  log: Log;
  /** Those from the settings. */
  environment: Connections;
  /** null: nothing can be stored, and nothing stored can be read. */
  sealer: Sealer | null;
  /** Why this installation may have no live key; none: it may. */
  liveRefusals: readonly string[];
}

/**
 * Gives the connections of the settings a row, sees to it that everything stored can be opened, and seals it with the
 * newest key, so that former keys can be dropped once every process has started so.
 * @throws ConnectionsError with every problem found
 */
export async function bringUp(deps: BringUpDeps): Promise<void> {
  for (const id of deps.environment.ids()) await keepEnvironmentRow(deps, deps.environment.get(id));
  const stored = await loadRows(deps.db, deps.clock.now());
  const problems: string[] = [];
  let sealedAgain = 0;
  for (const { row, secrets } of stored) {
    const live = row.origin === 'stored' && row.livemode && row.disabled_at === null;
    if (live && deps.liveRefusals.length > 0) {
      problems.push(`The connection ${row.id} is live. ${deps.liveRefusals.join(' ')}`);
    }
    const sealed = [
      ...(row.secret_key === null ? [] : [keyOf(row.id, row.secret_key)]),
      ...secrets.map((secret) => webhookSecretOf(secret)),
    ];
    for (const { text, place, replace } of sealed) {
      try {
        const current = sealAgain(deps.sealer, text, place);
        if (current === text) continue;
        // Only in place of what was read: another process may do the same, and somebody may change it meanwhile.
        await replace(deps.db, current);
        sealedAgain += 1;
      } catch (error) {
        if (!(error instanceof SealError)) throw error;
        problems.push(error.message);
      }
    }
  }
  if (problems.length > 0) throw new ConnectionsError(problems);
  if (sealedAgain > 0)
    deps.log.info({ secrets: sealedAgain }, 'Encrypted the secrets of connections with the newest key');
}

interface Sealed {
  text: string;
  place: string;
  replace: (db: Queryable, sealed: string) => Promise<unknown>;
}

function keyOf(id: string, text: string): Sealed {
  return {
    text,
    place: keyPlace(id),
    replace: (db, sealed) =>
      db
        .updateTable('tollgate.connections')
        .set({ secret_key: sealed })
        .where('id', '=', id)
        .where('secret_key', '=', text)
        .execute(),
  };
}

function webhookSecretOf(secret: { id: string; connection_id: string; secret: string }): Sealed {
  return {
    text: secret.secret,
    place: webhookSecretPlace(secret),
    replace: (db, sealed) =>
      db
        .updateTable('tollgate.connection_webhook_secrets')
        .set({ secret: sealed })
        .where('id', '=', secret.id)
        .where('secret', '=', secret.secret)
        .execute(),
  };
}

/**
 * The row of a connection from the settings. Live and test never mix: what was sold in one mode means nothing in the
 * other, so that a connection keeps its mode once something is sold through it.
 * @throws ConnectionsError
 */
async function keepEnvironmentRow({ db, clock, log }: BringUpDeps, connection: StripeConnection): Promise<void> {
  const { id, livemode, keyHint = null } = connection;
  const now = new Date(clock.now());
  const state = { livemode, secret_key_hint: keyHint, origin: 'environment' as const };
  const known = await db
    .insertInto('tollgate.connections')
    .values({
      id,
      ...state,
      name: null,
      account_id: null,
      api_base: null,
      secret_key: null,
      webhook_endpoint_id: null,
      webhook_url: null,
      disabled_at: null,
      created_at: now,
      updated_at: now,
    })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ secret_key_hint: keyHint }))
    .returning(['livemode'])
    .executeTakeFirstOrThrow();
  if (known.livemode === livemode) return;
  if (!connection.isSandbox && (await isInUse(db, id))) {
    const [was, is] = known.livemode ? ['live', 'test'] : ['test', 'live'];
    throw new ConnectionsError([
      `The connection ${id} has sold in ${was} mode, and STRIPE_SECRET_KEY is of ${is} mode. Live and test never mix: use another database, or add the other mode as a connection of its own (POST /api/v1/admin/connections).`,
    ]);
  }
  log.warn({ connection: id, livemode }, 'The connection changes its mode; nothing was sold through it yet');
  await db
    .updateTable('tollgate.connections')
    .set({ ...state, account_id: null, account_verified: false, updated_at: now })
    .where('id', '=', id)
    .execute();
}

/** Whether anything here came from the connection's account. */
export async function isInUse(db: Queryable, id: string): Promise<boolean> {
  const { used } = await db
    .selectNoFrom((of) =>
      of
        .or([
          of.exists(of.selectFrom('tollgate.products').select(sql`1`.as('one')).where('connection_id', '=', id)),
          of.exists(of.selectFrom('tollgate.payments').select(sql`1`.as('one')).where('connection_id', '=', id)),
          of.exists(
            of
              .selectFrom('tollgate.customers')
              .select(sql`1`.as('one'))
              .where('connection_id', '=', id)
              .where('stripe_customer_id', 'is not', null),
          ),
        ])
        .as('used'),
    )
    .executeTakeFirstOrThrow();
  return Boolean(used);
}
