import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CheckoutDeps } from '../../src/checkout/deps.ts';
import { readyStripeCustomer } from '../../src/checkout/ready-customer.ts';
import { ensureStripeCustomer, forgetStripeCustomer } from '../../src/checkout/stripe-customer.ts';
import { ensureCustomer } from '../../src/customers/ensure-customer.ts';
import type { CustomerRow } from '../../src/customers/find.ts';
import { createLog } from '../../src/platform/log.ts';
import { createProject } from '../../src/projects/create-project.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import type { Stripe } from '../../src/stripe/types.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { movableClock } from '../support/http.ts';

let database: TestDatabase;
let sandbox: Sandbox;
let stripe: Stripe;
let deps: CheckoutDeps;
let projectId: string;
let sequence = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  sandbox = await startSandbox();
  stripe = createStripeClient({ secretKey: 'sk_test_1', apiBase: sandbox.url });
  const connection = { id: 'default', client: stripe, webhookSecrets: ['whsec_1'], livemode: false };
  deps = {
    db: database.db,
    clock: movableClock(),
    connections: createConnections([{ ...connection, installation: 'here' }]),
    log: createLog('silent'),
    snapshots: { forget: () => {} },
  };
  const context = { actor: 'test', keyId: null, requestId: null };
  projectId = (await createProject(deps, { name: 'Test', slug: 'test' }, context)).project.id;
});

afterEach(() => sandbox.control.clearFaults());

afterAll(async () => {
  await sandbox.close();
  await database.drop();
});

async function newCustomer(known: { email?: string; name?: string } = {}): Promise<CustomerRow> {
  sequence += 1;
  const identity = { projectId, externalId: `u_${sequence}`, now: Date.now() };
  const { id } = await database.db.transaction().execute((tx) => ensureCustomer(tx, identity));
  return await database.db
    .updateTable('tollgate.customers')
    .set({ ...known, updated_at: new Date() })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

const ensure = ({ id }: CustomerRow) => ensureStripeCustomer(deps, { projectId, customerId: id });

async function inStripe(customer: CustomerRow): Promise<Stripe.Customer[]> {
  const all = await stripe.customers.list({ limit: 100 }).autoPagingToArray({ limit: 1000 });
  return all.filter(({ metadata }) => metadata.tollgate_customer === customer.id);
}

async function retrieve(id: string): Promise<Stripe.Customer> {
  const found = await stripe.customers.retrieve(id);
  if (found.deleted === true) throw new Error(`${id} is deleted`);
  return found;
}

describe('the Stripe customer', () => {
  it('is created once, however many ask at the same time', async () => {
    const customer = await newCustomer({ email: 'ada@example.com' });
    const ids = await Promise.all(Array.from({ length: 20 }, () => ensure(customer)));
    expect(new Set(ids).size).toBe(1);
    expect((await inStripe(customer)).map(({ id }) => id)).toEqual([ids[0]]);
  });

  it('carries the stamps, and the address and name that the app has named', async () => {
    const customer = await newCustomer({ email: 'ada@example.com', name: 'Ada' });
    expect(await retrieve(await ensure(customer))).toMatchObject({
      email: 'ada@example.com',
      name: 'Ada',
      metadata: { tollgate_installation: 'here', tollgate_project: projectId, tollgate_customer: customer.id },
    });
  });

  it('is the same one when the answer to its creation was lost', async () => {
    const customer = await newCustomer();
    sandbox.control.failRequests({ method: 'POST', path: '/v1/customers', times: 2, outcome: 'lost' });
    await ensure(customer);
    expect(await inStripe(customer)).toHaveLength(1);
  });

  it('is the same one when its address could not be set at first and has changed since', async () => {
    const customer = await newCustomer({ email: 'old@example.com' });
    sandbox.control.failRequests({ method: 'POST', path: '/v1/customers/', times: 2, outcome: 400 });
    await expect(ensure(customer)).rejects.toMatchObject({ code: 'stripe_refused' });
    await database.db
      .updateTable('tollgate.customers')
      .set({ email: 'new@example.com' })
      .where('id', '=', customer.id)
      .execute();
    sandbox.control.clearFaults();
    expect(await retrieve(await ensure(customer))).toMatchObject({ email: 'new@example.com' });
    expect(await inStripe(customer)).toHaveLength(1);
  });

  it('wakes the events that waited for it', async () => {
    const id = await ensure(await newCustomer());
    const { rows } = await database.pool.query(
      `select key from graphile_worker.jobs where task_identifier = 'wake_parked' and key = $1`,
      [`wake:default:${id}`],
    );
    expect(rows).toHaveLength(1);
  });

  it('is asked for again after Stripe could not be reached', async () => {
    const customer = await newCustomer();
    sandbox.control.setFaults({ errorRate: 1 });
    await expect(ensure(customer)).rejects.toMatchObject({ code: 'stripe_unavailable' });
    sandbox.control.clearFaults();
    expect(await ensure(customer)).toMatch(/^cus_/);
  });
});

describe('a Stripe customer that was deleted', () => {
  it('is replaced by one of the next generation', async () => {
    const customer = await newCustomer({ email: 'ada@example.com' });
    const first = await ensure(customer);
    await stripe.customers.del(first);
    const second = await readyStripeCustomer(deps, customer, undefined);
    expect(second).not.toBe(first);
    expect(await retrieve(second)).toMatchObject({ email: 'ada@example.com' });
    expect(await ensure(customer)).toBe(second);
  });

  it('is replaced although Stripe would replay its creation', async () => {
    const customer = await newCustomer();
    const first = await ensure(customer);
    await stripe.customers.del(first);
    await database.db
      .updateTable('tollgate.customers')
      .set({ stripe_customer_id: null })
      .where('id', '=', customer.id)
      .execute();
    const second = await ensure(customer);
    expect(second).not.toBe(first);
    expect((await inStripe(customer)).map(({ id }) => id)).toEqual([second]);
  });

  it('takes nothing from the one that has replaced it', async () => {
    const customer = await newCustomer();
    const first = await ensure(customer);
    await stripe.customers.del(first);
    const second = await readyStripeCustomer(deps, customer, undefined);
    await forgetStripeCustomer(deps, { customerId: customer.id, stripeCustomerId: first });
    expect(await ensure(customer)).toBe(second);
  });
});

describe('the address of a Stripe customer', () => {
  it('is the one that the app names now', async () => {
    const customer = await newCustomer({ email: 'old@example.com' });
    const id = await ensure(customer);
    await readyStripeCustomer(deps, customer, 'new@example.com');
    expect(await retrieve(id)).toMatchObject({ email: 'new@example.com' });
    const stored = await database.db
      .selectFrom('tollgate.customers')
      .select('email')
      .where('id', '=', customer.id)
      .executeTakeFirstOrThrow();
    expect(stored.email).toBe('new@example.com');
  });

  it('stays as the customer corrected it where the app names none', async () => {
    const customer = await newCustomer({ email: 'app@example.com' });
    const id = await ensure(customer);
    await stripe.customers.update(id, { email: 'corrected@example.com' });
    await readyStripeCustomer(deps, customer, undefined);
    expect(await retrieve(id)).toMatchObject({ email: 'corrected@example.com' });
  });

  it('is filled in where the app named one after the Stripe customer was made', async () => {
    const before = await newCustomer();
    const id = await ensure(before);
    await readyStripeCustomer(deps, { ...before, email: 'late@example.com', name: 'Late' }, undefined);
    expect(await retrieve(id)).toMatchObject({ email: 'late@example.com', name: 'Late' });
  });
});
