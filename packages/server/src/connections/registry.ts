import type { Connection } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { listen } from '../platform/notify.ts';
import { openSecret, SealError } from '../platform/sealing.ts';
import { type Connections, createStripeClient, type StripeConnection } from '../stripe/connections.ts';
import { type BringUpDeps, bringUp } from './bring-up.ts';
import { ConnectionsError } from './errors.ts';
import { latest } from './latest.ts';
import { CONNECTIONS_CHANNEL, loadRows, noSuchConnection, type StoredConnection } from './rows.ts';
import { keyPlace, webhookSecretPlace } from './secrets.ts';
import { createVerifier, type KeyName } from './verify-accounts.ts';

/** The connections that there are, in memory: those of the settings, and those of the database as they change. */
export interface ConnectionRegistry extends Connections {
  /**
   * `get`, after a look into the database for one that this process has not heard of yet.
   * @throws TollgateError `not_found`, `connection_unavailable`
   */
  find(id: string): Promise<StripeConnection>;
  /** Why a connection cannot be used; null when it can, or when there is none. */
  problemOf(id: string): string | null;
  /** Resolves once everything that was committed before the call is known. */
  reload(): Promise<void>;
  /** Whether changes are heard of. */
  connected(): boolean;
  stop(): Promise<void>;
}

export interface RegistryOptions extends BringUpDeps {
  /** Where to listen for changes. */
  database: Connection;
}

/** What was missed is noticed then at the latest, secrets expire, and Stripe is asked again whose the keys are. */
const LOOK_AGAIN_MS = 60_000;

type Entry = { status: 'ready'; connection: StripeConnection } & KeyName;
type Unusable = { status: 'unusable'; problem: string };

/** @throws ConnectionsError when a stored secret cannot be opened, or a key of the settings is of another account than it was */
export async function createRegistry(options: RegistryOptions): Promise<ConnectionRegistry> {
  const { db, log, environment, clock, sealer } = options;
  const verifier = createVerifier(options);
  let entries = new Map<string, Entry | Unusable>();

  const reload = latest(async () => {
    const stored = await loadRows(db, clock.now());
    const next = new Map<string, Entry | Unusable>();
    for (const id of environment.ids()) next.set(id, fromEnvironment(id, stored));
    for (const one of stored) {
      if (one.row.origin === 'stored' && one.row.disabled_at === null) next.set(one.row.id, fromDatabase(one));
    }
    entries = next;
  });

  function fromEnvironment(id: string, stored: readonly StoredConnection[]): Entry | Unusable {
    return usable(id, () => {
      const connection = environment.get(id);
      const added = stored.find(({ row }) => row.id === id)?.secrets ?? [];
      const webhookSecrets = [...opened(added), ...connection.webhookSecrets];
      const key = { id, sealedKey: null };
      const verifiedAccount = verifier.accountOf(key);
      return { status: 'ready', ...key, connection: { ...connection, webhookSecrets, verifiedAccount } };
    });
  }

  function fromDatabase({ row, secrets }: StoredConnection): Entry | Unusable {
    const { id, livemode, api_base: apiBase, secret_key: sealedKey } = row;
    return usable(id, () => {
      if (sealedKey === null) throw new SealError(`The connection ${id} has no key.`);
      const former = entries.get(id);
      const same = former?.status === 'ready' && former.sealedKey === sealedKey;
      const secretKey = same ? '' : openSecret(sealer, sealedKey, keyPlace(id));
      const connection = {
        id,
        livemode,
        client: same ? former.connection.client : createStripeClient({ secretKey, apiBase }),
        installation: environment.get(environment.ids()[0] as string).installation,
        webhookSecrets: opened(secrets),
        // Whoever handed the key in was told by Stripe whose it is.
        verifiedAccount: verifier.accountOf({ id, sealedKey }) ?? (row.account_verified ? row.account_id : null),
      };
      return { status: 'ready', id, sealedKey, connection };
    });
  }

  function usable(id: string, make: () => Entry): Entry | Unusable {
    try {
      const made = make();
      const problem = verifier.refusalOf(made);
      return problem === null ? made : { status: 'unusable', problem };
    } catch (error) {
      if (!(error instanceof SealError)) throw error;
      log.error({ connection: id, problem: error.message }, 'A connection cannot be read');
      // While encryption keys are being rotated, a process that lacks the newest goes on with what it has.
      return entries.get(id) ?? { status: 'unusable', problem: error.message };
    }
  }

  function opened(secrets: StoredConnection['secrets']): string[] {
    return secrets.map((secret) => openSecret(sealer, secret.secret, webhookSecretPlace(secret)));
  }

  const ready = () => [...entries.values()].filter((entry) => entry.status === 'ready');
  const reloadQuietly = () =>
    reload().catch((error: unknown) => log.warn({ err: error }, 'Connections could not be read; trying again'));

  const get = (id: string): StripeConnection => {
    const entry = entries.get(id);
    if (entry === undefined) throw noSuchConnection();
    if (entry.status === 'ready') return entry.connection;
    const detail = `The Stripe connection ${id} cannot be used now. GET /api/v1/admin/connections/{id} tells its operator why.`;
    throw new TollgateError('connection_unavailable', detail, [], { retry_after: 60 });
  };

  await bringUp(options);
  const heard = await listen(options.database, CONNECTIONS_CHANNEL, reloadQuietly, reloadQuietly, log);
  try {
    await reload();
    await verifier.verify(ready());
    // The others can be put right over the API, which has to be there for that.
    const refusals = environment.ids().flatMap((id) => verifier.refusalOf({ id, sealedKey: null }) ?? []);
    if (refusals.length > 0) throw new ConnectionsError(refusals);
    await reload();
  } catch (error) {
    await heard.stop();
    throw error;
  }
  const look = setInterval(() => {
    void verifier
      .verify(ready())
      .catch((error: unknown) => log.warn({ err: error }, 'Accounts could not be verified; trying again'))
      .then(reloadQuietly);
  }, LOOK_AGAIN_MS).unref();

  return {
    get,
    ids: () => ready().map(({ id }) => id),
    find: async (id) => {
      // Whoever asks for what does not exist costs one indexed read.
      if (!entries.has(id) && (await isStored(options, id))) await reload();
      return get(id);
    },
    problemOf: (id) => {
      const entry = entries.get(id);
      return entry?.status === 'unusable' ? entry.problem : null;
    },
    reload,
    connected: () => heard.connected(),
    stop: async () => {
      clearInterval(look);
      await heard.stop();
    },
  };
}

async function isStored({ db }: BringUpDeps, id: string): Promise<boolean> {
  const row = await db
    .selectFrom('tollgate.connections')
    .select('id')
    .where('id', '=', id)
    .where('disabled_at', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}
