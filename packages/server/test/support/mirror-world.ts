/** The mirror on a database of the test's own and a scripted Stripe, reached by the real SDK. */
import { DEFAULT_ACCESS_POLICY, decide } from '@tollgate/core';
import { type MirrorDeps, type ObjectType, type SyncResult, syncObject } from '../../src/mirror/sync-object.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLog } from '../../src/platform/log.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { START } from './mirror-objects.ts';
import { type ScriptedStripe, startScriptedStripe } from './mirror-stripe.ts';

export const INSTALLATION = 'test-installation';

/** The mirror and its database, with whatever speaks like Stripe. */
export interface Mirror {
  database: TestDatabase;
  deps: MirrorDeps;
  /** The same, as if the connection moved real money. */
  inLiveMode(): MirrorDeps;
  /** Moves the clock, which stands still otherwise. Epoch milliseconds. */
  setNow(ms: number): void;
  sync(type: ObjectType, id: string): Promise<SyncResult>;
  /** A project with the feature `pro`, unlocked by `prod_<suffix>` and its price `price_<suffix>`. Default connection: `default`. */
  addProject(suffix: string, connectionId?: string): Promise<string>;
  addCustomer(projectId: string, externalId: string, stripeCustomerId?: string | null): Promise<string>;
  /** Whether the customer is entitled to `pro` now, and why or why not. */
  access(projectId: string, externalId: string): Promise<{ entitled: boolean; reason: string }>;
  fact(id: string): Promise<unknown>;
  close(): Promise<void>;
}

/** The mirror with a scripted Stripe. */
export interface MirrorWorld extends Mirror {
  stripe: ScriptedStripe;
}

export async function startMirrorWorld(): Promise<MirrorWorld> {
  const stripe = await startScriptedStripe();
  const mirror = await startMirror(stripe.url);
  const close = async () => {
    await stripe.close();
    await mirror.close();
  };
  return { ...mirror, stripe, close };
}

/** @param apiBase - where Stripe's API is served */
export async function startMirror(apiBase: string): Promise<Mirror> {
  const database = await createTestDatabase({ max: 10 });
  const { db } = database;
  let now = (START + 3600) * 1000;
  const connection = {
    id: 'default',
    client: createStripeClient({ secretKey: 'sk_test_mirror', apiBase }),
    webhookSecrets: ['whsec_test'],
    livemode: false,
    installation: INSTALLATION,
  };
  const log = createLog(process.env.TEST_LOG_LEVEL ?? 'silent');
  const deps: MirrorDeps = { db, clock: { now: () => now }, connections: createConnections([connection]), log };

  return {
    database,
    deps,
    inLiveMode: () => ({ ...deps, connections: createConnections([{ ...connection, livemode: true }]) }),
    setNow: (ms) => {
      now = ms;
    },
    sync: (type, id) =>
      syncObject(deps, { connectionId: 'default', ref: { type, id }, cause: { type: 'event', id: 'evt_test' } }),
    addProject: async (suffix, connection_id = 'default') => {
      const id = newId('prj');
      const policy = JSON.stringify(DEFAULT_ACCESS_POLICY);
      await db
        .insertInto('tollgate.projects')
        .values({ id, name: suffix, slug: `${suffix}-${connection_id}`, connection_id, access_policy: policy })
        .execute();
      await db
        .insertInto('tollgate.features')
        .values({ project_id: id, code: 'pro', name: 'Pro', type: 'boolean', aggregation: 'max', description: null })
        .execute();
      await db
        .insertInto('tollgate.products')
        .values({ id: `prod_${suffix}`, connection_id, project_id: id, name: 'Pro', description: null })
        .execute();
      await db
        .insertInto('tollgate.prices')
        .values({
          id: `price_${suffix}`,
          connection_id,
          project_id: id,
          product_id: `prod_${suffix}`,
          currency: 'eur',
          unit_amount: 1000,
          recurring_interval: null,
          recurring_interval_count: null,
          usage_type: null,
          nickname: null,
          lookup_key: null,
        })
        .execute();
      await db
        .insertInto('tollgate.mappings')
        .values({
          project_id: id,
          owner_type: 'product',
          owner_id: `prod_${suffix}`,
          code: 'pro',
          value: null,
          access_days: null,
        })
        .execute();
      return id;
    },
    addCustomer: async (projectId, externalId, stripeCustomerId = null) => {
      const id = newId('cust');
      await db
        .insertInto('tollgate.customers')
        .values({
          id,
          project_id: projectId,
          external_id: externalId,
          email: null,
          name: null,
          stripe_customer_id: stripeCustomerId,
        })
        .execute();
      return id;
    },
    access: async (projectId, externalId) => {
      const row = await db
        .selectFrom('tollgate.snapshots')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('external_id', '=', externalId)
        .executeTakeFirst();
      if (row === undefined) return { entitled: false, reason: 'no_source' };
      const { entitled, reason } = decide(row.body, true, 'pro', now);
      return { entitled, reason };
    },
    fact: async (id) => {
      const row = await db.selectFrom('tollgate.facts').select('body').where('object_id', '=', id).executeTakeFirst();
      return row?.body;
    },
    close: () => database.drop(),
  };
}
