import type { Fact } from '@tollgate/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recomputeCustomer } from '../../src/entitlements/recompute.ts';
import { saveFact } from '../../src/facts/save-fact.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  createTestProject,
  type EntitlementsService,
  startEntitlements,
  type TestProject,
} from '../support/entitlements-app.ts';
import { activeSubscription } from '../support/facts.ts';

const DAY_MS = 86_400_000;

let database: TestDatabase;
let service: EntitlementsService;
let project: TestProject;

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startEntitlements(database.url);
  project = await createTestProject(service);
  await database.db
    .insertInto('tollgate.mappings')
    .values({ project_id: project.id, owner_type: 'product', owner_id: 'prod_pro', code: 'pro_export' })
    .execute();
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

const PRO = { priceId: 'price_pro', productId: 'prod_pro' };
const paidUntil = (id: string, to: number) =>
  activeSubscription({ id, startedAt: to - 30 * DAY_MS }, { ...PRO, currentPeriodEnd: to });
const iso = (at = service.clock.now()) => new Date(at).toISOString();
const explain = async (customerId: string, more: { as_of?: string; known_at?: string; feature?: string } = {}) => {
  const query = new URLSearchParams({ customer_id: customerId, feature: 'pro_export', ...more });
  const { status, body } = await project.app.get(`/explain?${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
};
const revoke = (grantId: string) => service.admin.post('/admin/revoke', { grant_id: grantId, reason: 'A test' });

/** As the mirror does it: the fact and what follows from it in one transaction. */
async function subscribe(customerId: string, sequence: number, fact: Fact): Promise<void> {
  const now = service.clock.now();
  const cause = { type: 'event', id: `evt_${sequence}` } as const;
  await database.db.transaction().execute(async (tx) => {
    const customer = await tx
      .selectFrom('tollgate.customers')
      .selectAll()
      .where('external_id', '=', customerId)
      .executeTakeFirstOrThrow();
    await saveFact(tx, {
      projectId: project.id,
      customerId: customer.id,
      fact,
      sequence,
      cause,
      recordedAt: new Date(now),
    });
    await recomputeCustomer(tx, { customerId: customer.id, cause, now });
  });
}

describe('an explanation', () => {
  test('of a customer never seen says that there is no source', async () => {
    expect(await explain('nobody')).toMatchObject({
      object: 'explanation',
      customer_id: 'nobody',
      feature: 'pro_export',
      entitled: false,
      reason: 'no_source',
      version: 0,
      recorded_at: null,
      cause: null,
      sources: [],
      next_change_at: null,
    });
  });

  test('of an unknown feature says so', async () => {
    const body = await explain('nobody', { feature: 'nonsense' });
    expect(body).toMatchObject({ entitled: false, reason: 'unknown_feature' });
    expect(body.summary).toMatch(/no feature of this code/);
  });

  test('names every source with its verdict, and why the winner won', async () => {
    const short = await project.grant('e_1', 'pro_export', { valid_to: iso(service.clock.now() + DAY_MS) });
    const gone = await project.grant('e_1', 'pro_export');
    await revoke(gone.body.id);
    const later = await project.grant('e_1', 'pro_export', { valid_from: iso(service.clock.now() + 9 * DAY_MS) });
    const now = service.clock.now();
    await subscribe('e_1', 1, paidUntil('sub_e1', now + 5 * DAY_MS));
    const body = await explain('e_1');
    expect(body).toMatchObject({ entitled: true, reason: 'subscription_active', version: 5 });
    expect(body.cause).toEqual({ type: 'event', id: 'evt_1' });
    const verdicts = body.sources.map((one: { id: string; verdict: string; reason: string }) => [
      one.id,
      one.verdict,
      one.reason,
    ]);
    expect(verdicts).toEqual(
      expect.arrayContaining([
        ['sub_e1', 'won', 'subscription_active'],
        [short.body.id, 'contributes', 'grant'],
        [gone.body.id, 'ended', 'revoked'],
        [later.body.id, 'not_yet', 'not_started'],
      ]),
    );
    expect(verdicts).toHaveLength(4);
    expect(body.summary).toContain('sub_e1');
    const sub = body.sources.find(({ id }: { id: string }) => id === 'sub_e1');
    expect(sub).toMatchObject({
      type: 'subscription',
      via: 'prod_pro',
      will_renew: true,
      period_end: iso(now + 5 * DAY_MS),
    });
    expect(sub.windows.map(({ reason }: { reason: string }) => reason)).toEqual([
      'subscription_active',
      'subscription_slack',
    ]);
  });

  test('agrees with the check', async () => {
    const { body } = await project.check('e_1', 'pro_export');
    const { entitled, value, unlimited, reason, valid_to, version } = await explain('e_1');
    expect({ entitled, value, unlimited, reason, valid_to, version }).toEqual({
      entitled: body.entitled,
      value: body.value,
      unlimited: body.unlimited,
      reason: body.reason,
      valid_to: body.valid_to,
      version: body.version,
    });
  });

  test('of a denied customer names the deny, and what it overrules', async () => {
    const allow = await project.grant('e_2', 'pro_export');
    const deny = await project.grant('e_2', 'pro_export', { effect: 'deny' });
    const body = await explain('e_2');
    expect(body).toMatchObject({ entitled: false, reason: 'denied' });
    expect(body.sources.map((one: { id: string; verdict: string }) => [one.id, one.verdict])).toEqual([
      [allow.body.id, 'overruled'],
      [deny.body.id, 'won'],
    ]);
  });
});

describe('as_of', () => {
  test('asks about another moment, in the past or to come', async () => {
    const from = service.clock.now() + DAY_MS;
    await project.grant('e_3', 'pro_export', { valid_from: iso(from), valid_to: iso(from + DAY_MS) });
    const at = async (ms: number) => {
      const { entitled, reason, as_of } = await explain('e_3', { as_of: iso(ms) });
      expect(as_of).toBe(iso(ms));
      return [entitled, reason];
    };
    expect(await at(from - 1)).toEqual([false, 'not_started']);
    expect(await at(from)).toEqual([true, 'grant']);
    expect(await at(from + DAY_MS - 1)).toEqual([true, 'grant']);
    expect(await at(from + DAY_MS)).toEqual([false, 'expired']);
  });

  test('takes any offset', async () => {
    const { as_of } = await explain('e_3', { as_of: '2026-11-01T02:00:00+02:00' });
    expect(as_of).toBe('2026-11-01T00:00:00.000Z');
  });
});

describe('known_at', () => {
  test('answers by what was known then, about any moment', async () => {
    const before = service.clock.now();
    service.clock.advance(1_000);
    // Told late: it holds from two days ago.
    const granted = await project.grant('e_4', 'pro_export', { valid_from: iso(before - 2 * DAY_MS) });
    const known = service.clock.now();
    service.clock.advance(1_000);
    await revoke(granted.body.id);
    service.clock.advance(1_000);

    const yesterday = iso(before - DAY_MS);
    const ask = async (knownAt: number | undefined) => {
      const more = knownAt === undefined ? {} : { known_at: iso(knownAt) };
      const { entitled, reason, version } = await explain('e_4', { as_of: yesterday, ...more });
      return [entitled, reason, version];
    };
    expect(await ask(before)).toEqual([false, 'no_source', 0]);
    expect(await ask(known)).toEqual([true, 'grant', 1]);
    // The revocation says nothing about what was.
    expect(await ask(undefined)).toEqual([true, 'grant', 2]);
    expect((await explain('e_4')).reason).toBe('revoked');
    expect((await explain('e_4', { known_at: iso(known) })).reason).toBe('grant');
  });

  test('does not know a feature before it was created', async () => {
    const before = iso(service.clock.now() - 1_000);
    await project.app.post('/features', { code: 'late_feature', name: 'Late', type: 'boolean' });
    expect((await explain('nobody', { feature: 'late_feature' })).reason).toBe('no_source');
    expect((await explain('nobody', { feature: 'late_feature', known_at: before })).reason).toBe('unknown_feature');
  });
});

test('a stale fetch that comes late changes neither the answer nor the history', async () => {
  await project.grant('e_5', 'seats', { value: 1 });
  const now = service.clock.now();
  await subscribe('e_5', 12, activeSubscription({ id: 'sub_e5', status: 'canceled', endedAt: now }, PRO));
  const settled = await explain('e_5');
  await subscribe('e_5', 11, activeSubscription({ id: 'sub_e5' }, PRO));
  const later = await explain('e_5');
  expect(later).toMatchObject({ entitled: false, reason: 'canceled', version: settled.version });
});
