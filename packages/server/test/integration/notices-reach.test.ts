/** How far notices reach: not to an address that became forbidden, nor back beyond 30 days or an endpoint's beginning. */
import { randomBytes } from 'node:crypto';
import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createSealer } from '../../src/platform/sealing.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { Receiver } from '../support/notice-receiver.ts';
import { startTollgate, type Tollgate, type TollgateOptions } from '../support/tollgate.ts';

const KEY = randomBytes(32);
const DAY = 24 * 60 * 60 * 1000;

let database: TestDatabase;
let sandbox: Sandbox;
let receiver: Receiver;
let tollgate: Tollgate;
let now = Date.parse('2026-11-25T12:00:00Z');

beforeEach(async () => {
  database = await createTestDatabase();
  sandbox = await startSandbox();
  receiver = await new Receiver().start();
  tollgate = await start();
  await tollgate.secret.post('/features', { code: 'pro_export', name: 'Export', type: 'boolean' });
  await tollgate.secret.post('/features', { code: 'seats', name: 'Seats', type: 'limit' });
});
afterEach(async () => {
  await tollgate.close();
  await receiver.stop();
  await sandbox.close();
  await database.drop();
});

const start = async (options: TollgateOptions = {}) =>
  await startTollgate({
    database,
    sandbox,
    deaf: true,
    clock: { now: () => now },
    sealer: createSealer([KEY]),
    ...options,
  });

async function endpoint(url = receiver.url): Promise<string> {
  const { status, body } = await tollgate.secret.post('/webhook-endpoints', { url });
  expect(status).toBe(201);
  return body.id;
}

async function grant(projectId: string, more: object = {}): Promise<void> {
  const about = { project_id: projectId, customer_id: 'ada', feature: 'pro_export', reason: 'a test' };
  expect((await tollgate.admin.post('/admin/grant', { ...about, ...more })).status).toBe(201);
}

const arrived = async (at: Receiver, count: number) =>
  await tollgate.until(() => at.of('ada').length >= count, 10_000, `${count} notices`);

/** What was told, by the causes of the changes and their numbers. */
const toldAt = (at: Receiver) => at.of('ada').map(({ notice }) => `${notice.data.sequence} ${notice.data.cause.type}`);

it('an address that was allowed, and is the service’s own by now, is sent nothing', async () => {
  const id = await endpoint();
  const { project } = tollgate;
  await tollgate.close();
  tollgate = await start({ ownPorts: [Number(new URL(receiver.url).port)] });
  await grant(project.id);
  const lastError = async () => {
    const { rows } = await database.pool.query('select last_error from tollgate.webhook_endpoints where id = $1', [id]);
    return rows[0].last_error;
  };
  await tollgate.until(async () => (await lastError()) !== null, 10_000, 'it has failed');
  expect(await lastError()).toMatch(/Tollgate's own/);
  expect(receiver.all).toEqual([]);
});

it('a replay reaches back 30 days at most, also where what is older has not been removed yet', async () => {
  const id = await endpoint();
  await grant(tollgate.project.id);
  await arrived(receiver, 1);
  now += 31 * DAY;
  await grant(tollgate.project.id, { feature: 'seats', value: 3 });
  await arrived(receiver, 2);
  const since = new Date(now - 100 * DAY).toISOString();
  const { status, body } = await tollgate.secret.post(`/webhook-endpoints/${id}/replay`, { since });
  expect([status, body.queued]).toEqual([202, 1]);
  await arrived(receiver, 3);
  expect(toldAt(receiver)).toEqual(['1 grant', '2 grant', '2 grant']);
});

it.each([
  ['though nobody was told of it', false, ['1 grant']],
  ['though another is told of it only now', true, ['3 grant']],
])('an endpoint is not told of what happened before it was made, %s', async (_, isOther, told) => {
  if (isOther) await endpoint();
  await grant(tollgate.project.id, { valid_to: new Date(now + DAY).toISOString() });
  now += DAY + 1;
  const late = await new Receiver().start();
  try {
    await endpoint(late.url);
    await grant(tollgate.project.id, { feature: 'seats', value: 3 });
    await arrived(late, 1);
    if (isOther) await arrived(receiver, 3);
    expect(toldAt(late)).toEqual(told);
    expect(toldAt(receiver)).toEqual(isOther ? ['1 grant', '2 time', '3 grant'] : []);
  } finally {
    await late.stop();
  }
});
