/** An import whose process is killed goes on at its page in another one, and nothing is done twice. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startImport } from '../../src/adoption/start-import.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { type Selling, startSelling } from '../support/selling.ts';
import { until } from '../support/until.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../support/import-process.ts');
const CUSTOMERS = 16;

let selling: Selling;
const children: ChildProcess[] = [];

beforeAll(async () => {
  selling = await startSelling();
});
afterAll(async () => {
  await Promise.all(children.map(kill));
  await selling.close();
});

function start(): ChildProcess {
  const args = [PROGRAM, selling.database.url, selling.sandbox.url];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(child);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

test('goes on at its page, and does nothing twice', async () => {
  const { stripe, database } = selling;
  const { db } = database;
  const project = await selling.createProject('adopted');
  await project.secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const product = await stripe.products.create({ name: 'Pro' });
  const recurring = { interval: 'month' } as const;
  const price = await stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 900, recurring });
  for (let n = 0; n < CUSTOMERS; n++) {
    const customer = await stripe.customers.create({ metadata: { user_id: `u_${n}` } });
    const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
    const items = [{ price: price.id }];
    await stripe.subscriptions.create({ customer: customer.id, items, default_payment_method: card.id });
  }
  const request = {
    products: [{ product: product.id, features: [{ code: 'pro' }] }],
    customer_id_from: 'metadata.user_id',
  };
  const input = { projectId: project.id, dryRun: false, request, reason: 'A test' };
  const { id } = await startImport({ db, clock: systemClock }, input, { actor: 'test', keyId: null, requestId: null });
  const row = () => db.selectFrom('tollgate.imports').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const applied = async () => (await row()).counts.applied ?? 0;

  for (const atLeast of [2, 6, 10]) {
    const child = start();
    await until(async () => (await applied()) >= atLeast, 30_000, `${atLeast} subscriptions are known`);
    await kill(child);
    expect(await row()).toMatchObject({ status: 'running', cursor: { step: 'subscriptions' } });
  }
  const left = await applied();
  expect(left).toBeLessThan(CUSTOMERS);
  start();
  await until(async () => (await row()).status !== 'running', 30_000, 'the import ends');
  // A process that died behind a page's commit leaves the page to be looked at again: it is unchanged then.
  expect(await row()).toMatchObject({ status: 'completed', counts: { applied: CUSTOMERS } });
  for (const table of ['facts', 'fact_versions', 'snapshots', 'snapshot_versions', 'customers', 'import_gains']) {
    const { rows } = await database.pool.query(`select count(*)::int as count from tollgate.${table}`);
    expect([table, rows[0].count]).toEqual([table, CUSTOMERS]);
  }
});
