/** A change of the catalog over the API, and what was fetched of the same object before it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { syncObject } from '../../src/mirror/sync-object.ts';
import type { ObjectType } from '../../src/mirror/types.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLog } from '../../src/platform/log.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { type HoldingStripe, startHoldingStripe } from '../support/holding-stripe.ts';
import { INSTALLATION, type Selling, type SellingProject, startSelling } from '../support/selling.ts';

let selling: Selling;
let stripe: HoldingStripe;
let project: SellingProject;
let product: string;

beforeAll(async () => {
  selling = await startSelling();
  stripe = await startHoldingStripe(selling.sandbox.url);
  project = await selling.createProject('one');
  product = (await project.secret.post('/products', { name: 'Pro' })).body.id;
});
afterAll(async () => {
  stripe[Symbol.dispose]();
  await selling.close();
});

/** What a webhook's job does. */
async function sync(type: ObjectType, id: string) {
  const client = createStripeClient({ secretKey: 'sk_test_selling', apiBase: stripe.url });
  const connections = createConnections([
    { id: 'default', client, webhookSecrets: ['whsec_unused'], livemode: false, installation: INSTALLATION },
  ]);
  const deps = { db: selling.database.db, clock: systemClock, connections, log: createLog('silent') };
  const ref = { type, id };
  return await syncObject(deps, { connectionId: 'default', ref, cause: { type: 'event', id: 'evt_1' } });
}

describe('a change over the API', () => {
  test('of a price stays when a fetch that began before it ends after it', async () => {
    const { id } = (await project.secret.post('/prices', { product, currency: 'eur', unit_amount: 900 })).body;
    const held = stripe.holdNext(`/v1/prices/${id}`);
    const syncing = sync('price', id);
    await held.arrived;
    const change = { active: false, nickname: 'New', lookup_key: 'new' };
    expect((await project.secret.patch(`/prices/${id}`, change)).body).toMatchObject(change);
    held.release();
    expect((await syncing).status).toBe('stale');
    expect((await project.secret.get(`/prices/${id}`)).body).toMatchObject(change);
  });

  test('of a product stays when a fetch that began before it ends after it', async () => {
    const held = stripe.holdNext(`/v1/products/${product}`);
    const syncing = sync('product', product);
    await held.arrived;
    const change = { name: 'New', active: false };
    expect((await project.secret.patch(`/products/${product}`, change)).body).toMatchObject(change);
    held.release();
    expect((await syncing).status).toBe('stale');
    expect((await project.secret.get(`/products/${product}`)).body).toMatchObject(change);
  });

  test('gives way to a fetch that began after it', async () => {
    await project.secret.patch(`/products/${product}`, { name: 'Ours' });
    await selling.stripe.products.update(product, { name: 'By hand' });
    expect((await sync('product', product)).status).toBe('applied');
    expect((await project.secret.get(`/products/${product}`)).body.name).toBe('By hand');
  });
});
