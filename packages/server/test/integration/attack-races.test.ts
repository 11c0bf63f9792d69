/** Fifty of the same at once: one of them counts, or all of them, but never half. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../support/client.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let product: string;
const urls = { success_url: 'https://shop.example/', cancel_url: 'https://shop.example/' };
const COUNT = 50;

beforeAll(async () => {
  tollgate = await startTollgate();
  const { secret } = tollgate;
  await secret.post('/features', { code: 'export', name: 'Export', type: 'boolean' });
  await secret.post('/features', { code: 'seats', name: 'Seats', type: 'limit', aggregation: 'sum' });
  product = (await secret.post('/products', { name: 'Pro', features: [{ code: 'export' }] })).body.id;
  const recurring = { interval: 'month' };
  await secret.post('/prices', { product, currency: 'usd', unit_amount: 900, recurring, lookup_key: 'pro' });
});
afterAll(() => tollgate.close());

async function atOnce(ask: (index: number) => Promise<Answer>): Promise<Answer[]> {
  return await Promise.all(Array.from({ length: COUNT }, (_, index) => ask(index)));
}

function countOf(answers: readonly Answer[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

const grant = (fields: object) =>
  tollgate.admin.post('/admin/grant', { project_id: tollgate.project.id, reason: 'A race', ...fields });

describe('fifty at once', () => {
  it('grants of one new customer add up, and its versions have no gap', async () => {
    const answers = await atOnce(() => grant({ customer_id: 'crowd', feature: 'seats', value: 1 }));
    expect(countOf(answers)).toEqual({ 201: COUNT });
    const { body } = await tollgate.secret.get('/check?customer_id=crowd&feature=seats');
    expect(body).toMatchObject({ value: COUNT, version: COUNT });
  });

  it('revocations and denials leave nobody with access', async () => {
    await grant({ customer_id: 'rowdy', feature: 'export' });
    const target = { project_id: tollgate.project.id, customer_id: 'rowdy', feature: 'export', reason: 'A race' };
    const answers = await atOnce((index) =>
      index % 2 === 0
        ? tollgate.admin.post('/admin/revoke', target)
        : grant({ customer_id: 'rowdy', feature: 'export', effect: 'deny' }),
    );
    expect(countOf(answers)).toEqual({ 200: COUNT / 2, 201: COUNT / 2 });
    const { body } = await tollgate.secret.get('/check?customer_id=rowdy&feature=export');
    expect(body).toMatchObject({ entitled: false, reason: 'denied' });
  });

  it('repeats of one grant under one idempotency key are one grant', async () => {
    const body = { project_id: tollgate.project.id, customer_id: 'once', feature: 'seats', value: 3, reason: 'A race' };
    const headers = { 'idempotency-key': 'fifty' };
    const answers = await atOnce(() => tollgate.admin.post('/admin/grant', body, headers));
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true);
    expect(new Set(answers.filter(({ status }) => status === 201).map((answer) => answer.body.id)).size).toBe(1);
    expect((await tollgate.secret.get('/check?customer_id=once&feature=seats')).body.value).toBe(3);
  });

  it('rotations of one key make one new key', async () => {
    const keys = `/admin/projects/${tollgate.project.id}/keys`;
    const { id } = (await tollgate.admin.post(keys, { name: 'raced' })).body;
    const answers = await atOnce(() => tollgate.admin.post(`${keys}/${id}/rotate`, { overlap_seconds: 60 }));
    expect(countOf(answers)).toEqual({ 201: 1, 409: COUNT - 1 });
    const { body } = await tollgate.admin.get(`${keys}?limit=100`);
    expect(body.data.filter(({ name }: { name: string }) => name === 'raced')).toHaveLength(2);
  });

  it('requests with a key that is revoked meanwhile are refused from then on', async () => {
    const keys = `/admin/projects/${tollgate.project.id}/keys`;
    const { id, key } = (await tollgate.admin.post(keys, { name: 'doomed' })).body;
    const doomed = tollgate.as(key);
    await doomed.get('/features');
    await atOnce((index) => (index === 25 ? tollgate.admin.delete(`${keys}/${id}`) : doomed.get('/features')));
    expect(countOf(await atOnce(() => doomed.get('/features')))).toEqual({ 401: COUNT });
  });

  it('changes of the mapping leave the set of one of them', async () => {
    const sets = [[{ code: 'export' }], [{ code: 'seats', value: 2 }], []];
    const put = (index: number) =>
      tollgate.secret.put(`/products/${product}/features`, { features: sets[index % sets.length] });
    const answers = await atOnce(put);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const { body } = await tollgate.secret.get(`/products/${product}`);
    expect([['export'], ['seats'], []]).toContainEqual(body.features.map(({ code }: { code: string }) => code));
    await tollgate.secret.put(`/products/${product}/features`, { features: [{ code: 'export' }] });
  });

  it('changes of the policy lose none of the fields', async () => {
    const at = `/admin/projects/${tollgate.project.id}`;
    const answers = await atOnce((index) =>
      tollgate.admin.patch(at, {
        access_policy: index % 2 === 0 ? { past_due_grace_days: 11 } : { renewal_slack_hours: 13 },
      }),
    );
    expect(countOf(answers)).toEqual({ 200: COUNT });
    expect((await tollgate.admin.get(at)).body.access_policy).toMatchObject({
      past_due_grace_days: 11,
      renewal_slack_hours: 13,
    });
  });

  it('checkouts of one customer leave one that can be paid', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        tollgate.secret.post('/checkout/sessions', { customer_id: 'tabs', lookup_key: 'pro', ...urls }),
      ),
    );
    expect(answers.every(({ status }) => status === 201 || status === 503)).toBe(true);
    const open = (await tollgate.stripe.checkout.sessions.list({ status: 'open', limit: 100 })).data;
    expect(open.filter(({ client_reference_id }) => client_reference_id === 'tabs')).toHaveLength(1);
    const customers = (await tollgate.stripe.customers.list({ limit: 100 })).data;
    const { body } = await tollgate.secret.get('/customers/tabs');
    expect(customers.filter(({ metadata }) => metadata.tollgate_customer === body.id)).toHaveLength(1);
  });

  it('and the audit trail is still one unbroken chain', async () => {
    expect((await tollgate.admin.get('/admin/audit/verify')).body).toMatchObject({ intact: true });
  });
});
