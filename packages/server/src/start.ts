/** Brings the whole service up from its settings, and takes it down again in the opposite order. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Sandbox } from '../../stripe-sandbox/src/index.ts';
import { compose } from './compose.ts';
import { type Config, isLoopback } from './config.ts';
import { hintOf } from './connections/secrets.ts';
import { registerDemoRoutes } from './demo/routes.ts';
import { awaitDatabase } from './operations/await-database.ts';
import { keptAdminKey, keptEncryptionKey } from './operations/kept-secrets.ts';
import { type Clock, systemClock } from './platform/clock.ts';
import { type Connection, connectDatabase } from './platform/database.ts';
import { startEmbeddedPostgres } from './platform/embedded-postgres.ts';
import type { Log } from './platform/log.ts';
import { migrate } from './platform/migrate.ts';
import { createSealer, type Sealer } from './platform/sealing.ts';
import { grantToServiceRole } from './platform/service-role.ts';
import { createConnections, createStripeClient, type StripeConnection } from './stripe/connections.ts';

export interface Started {
  /** Where it answers; what it calls itself. */
  url: string;
  /** The operator's key when it was made here, to be shown; null when it came from the settings. */
  adminKey: string | null;
  /** Where the operator's key is kept, when it was made here. */
  adminKeyFile: string | null;
  sandboxUrl: string | null;
  /** The demo project, where there is one. */
  demo: { projectId: string; secretKey: string } | null;
  close(): Promise<void>;
}

/** Any key will do: the sandbox asks nobody who they are. */
const SANDBOX_KEY = 'sk_test_sandbox_of_this_installation';

/**
 * Database, migrations, sandbox, service, demo: each waits for the one before.
 * @throws Error with a sentence for the operator, from whichever part could not start; the parts before it are stopped
 */
export async function start(config: Config, { log }: { log: Log }): Promise<Started> {
  const stack = new AsyncDisposableStack();
  try {
    const database = await startDatabase(config, stack, log);
    const sandbox = config.stripe.kind === 'sandbox' ? await openSandbox(config, config.stripe.port, stack) : null;
    const ownKey = config.adminKey === null && config.database.kind === 'embedded';
    const adminKey = ownKey ? await keptAdminKey(config.dataDir) : config.adminKey;
    const connection = connectionOf(config, sandbox);
    const service = await compose({
      database,
      connections: createConnections([connection]),
      clock: sandbox === null ? systemClock : clockOf(sandbox),
      log,
      version: await readVersion(),
      adminKey,
      sealer: await sealerOf(config),
      reconcileCron: config.reconcileCron,
      callsPerSecond: sandbox === null ? config.reconcileCallsPerSecond : null,
      liveRefusals: config.liveRefusals,
      publicUrl: config.publicUrl,
      ownPorts: sandbox === null ? [] : [sandbox.port],
    });
    stack.defer(() => service.close());
    // Keys are shown on the demo's page, so that it is for who tries Tollgate out on this machine and nobody else.
    const isTrial = sandbox !== null && config.database.kind === 'embedded' && isLoopback(config.host);
    const demo =
      isTrial && adminKey !== null
        ? registerDemoRoutes(service.app, {
            app: service.app,
            adminKey,
            dataDir: config.dataDir,
            sandboxUrl: sandbox.url,
          })
        : null;
    const address = await service.listen({ host: config.host, port: config.port });
    sandbox?.deliverTo([{ url: `${address}/api/v1/webhooks/stripe`, secret: connection.webhookSecrets[0] as string }]);
    const shown = await demo?.setUp();
    return {
      url: config.publicUrl ?? address,
      adminKey: ownKey ? adminKey : null,
      adminKeyFile: ownKey ? path.join(config.dataDir, 'admin-key') : null,
      sandboxUrl: sandbox?.url ?? null,
      demo: shown === undefined ? null : { projectId: shown.projectId, secretKey: shown.secretKey },
      close: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** A database that answers and is migrated. */
async function startDatabase(config: Config, stack: AsyncDisposableStack, log: Log): Promise<Connection> {
  await mkdir(config.dataDir, { recursive: true });
  const service = await connectionTo(config, stack, log);
  const separateOwner = config.database.kind === 'external' ? config.database.migrationUrl : null;
  const owner = separateOwner === null ? service : { connectionString: separateOwner };
  const handle = connectDatabase(owner, { log, max: 2, name: 'tollgate migrations' });
  try {
    await awaitDatabase(handle.pool, { log });
    await migrate(handle.pool, { log });
    if (separateOwner !== null) await grantToServiceRole(handle.pool, service);
  } finally {
    await handle.close();
  }
  return service;
}

/** The embedded database brings a key of its own; a database of the operator's needs one that is kept elsewhere. */
async function sealerOf({ database, encryptionKeys, dataDir }: Config): Promise<Sealer | null> {
  const keys = database.kind === 'embedded' ? [...encryptionKeys, await keptEncryptionKey(dataDir)] : encryptionKeys;
  return keys.length === 0 ? null : createSealer(keys);
}

async function connectionTo(config: Config, stack: AsyncDisposableStack, log: Log): Promise<Connection> {
  if (config.database.kind === 'external') return { connectionString: config.database.url };
  const server = await startEmbeddedPostgres({ dataDir: config.dataDir, log });
  stack.defer(() => server.stop());
  return server.connection;
}

async function openSandbox(config: Config, port: number, stack: AsyncDisposableStack): Promise<Sandbox> {
  // A service on a real Stripe has no use for it, nor for the memory that it takes.
  // By its path: its name leads to what was built, and the service runs from the source.
  const { startSandbox } = await import('../../stripe-sandbox/src/index.ts');
  const sandbox = await startSandbox({
    port,
    host: config.host,
    file: path.join(config.dataDir, 'stripe-sandbox.json'),
  });
  stack.defer(() => sandbox.close());
  return sandbox;
}

function connectionOf(config: Config, sandbox: Sandbox | null): StripeConnection {
  const { stripe, installation } = config;
  const common = { id: 'default', installation };
  if (stripe.kind === 'stripe') {
    const client = createStripeClient(stripe);
    return {
      ...common,
      client,
      webhookSecrets: stripe.webhookSecrets,
      livemode: stripe.livemode,
      keyHint: hintOf(stripe.secretKey),
    };
  }
  if (sandbox === null) throw new Error('The sandbox was not started.');
  return {
    ...common,
    client: createStripeClient({ secretKey: SANDBOX_KEY, apiBase: `http://127.0.0.1:${sandbox.port}` }),
    webhookSecrets: [stripe.webhookSecret ?? `whsec_${randomBytes(24).toString('base64url')}`],
    livemode: false,
    isSandbox: true,
  };
}

/** Who moves the sandbox's time forward sees what becomes of access then. */
function clockOf(sandbox: Sandbox): Clock {
  return { now: () => Date.now() + sandbox.aheadMs() };
}

async function readVersion(): Promise<string> {
  const manifest = JSON.parse(await readFile(path.join(import.meta.dirname, '../package.json'), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
