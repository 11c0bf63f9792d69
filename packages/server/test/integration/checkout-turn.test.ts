import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inTurn, stillHolds, type Turn } from '../../src/checkout/turn.ts';
import { ensureCustomer } from '../../src/customers/ensure-customer.ts';
import { createProject } from '../../src/projects/create-project.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let projectId: string;
let sequence = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  const deps = { db: database.db, clock: { now: () => Date.now() } };
  const context = { actor: 'test', keyId: null, requestId: null };
  projectId = (await createProject(deps, { name: 'Test', slug: 'test' }, context)).project.id;
});

afterAll(() => database.drop());

async function newCustomer(): Promise<string> {
  sequence += 1;
  const identity = { projectId, externalId: `u_${sequence}`, now: Date.now() };
  const row = await database.db.transaction().execute((tx) => ensureCustomer(tx, identity));
  return row.id;
}

const holds = (turn: Turn) => database.db.transaction().execute((tx) => stillHolds(tx, turn));

it('lets one work at a time for a customer, and each of them in the end', async () => {
  const customer = await newCustomer();
  let working = 0;
  let most = 0;
  const done = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      inTurn(database.db, customer, async (turn) => {
        working += 1;
        most = Math.max(most, working);
        await sleep(5);
        expect(await holds(turn)).toBe(true);
        working -= 1;
        return index;
      }),
    ),
  );
  expect(most).toBe(1);
  expect(done).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

it('does not make customers wait for one another', async () => {
  const [one, another] = [await newCustomer(), await newCustomer()];
  const met = Promise.withResolvers<void>();
  await inTurn(database.db, one, async () => {
    await inTurn(database.db, another, async () => met.resolve());
    await met.promise;
  });
});

it('passes on when the work fails', async () => {
  const customer = await newCustomer();
  await expect(inTurn(database.db, customer, () => Promise.reject(new Error('Stripe is down')))).rejects.toThrow(
    'Stripe is down',
  );
  expect(await inTurn(database.db, customer, async () => 'next', { waitMs: 0 })).toBe('next');
});

it('tells a caller to come back when the others take too long', async () => {
  const customer = await newCustomer();
  await inTurn(database.db, customer, async () => {
    await expect(inTurn(database.db, customer, async () => 'never', { waitMs: 0 })).rejects.toMatchObject({
      code: 'checkout_busy',
      extensions: { retry_after: 1 },
    });
  });
});

it('lasts as long as its holder lives, however slow the work', async () => {
  const customer = await newCustomer();
  const lastsMs = 1_000;
  await inTurn(
    database.db,
    customer,
    async (turn) => {
      await sleep(2 * lastsMs);
      await expect(inTurn(database.db, customer, async () => 'never', { waitMs: 0 })).rejects.toThrow();
      expect(await holds(turn)).toBe(true);
    },
    { lastsMs },
  );
});

it('passes on from a process that died, which then no longer holds it', async () => {
  const customer = await newCustomer();
  const dead = { customerId: customer, holder: 'a process that died' };
  const ends_at = new Date(Date.now() - 60_000);
  await database.db
    .insertInto('tollgate.checkout_turns')
    .values({ customer_id: customer, holder: dead.holder, ends_at })
    .execute();
  expect(await holds(dead)).toBe(true);
  await inTurn(database.db, customer, async (turn) => {
    expect(await holds(turn)).toBe(true);
    expect(await holds(dead)).toBe(false);
  });
});
