/** Input that was made to break something: each is refused with a 4xx that says why, or answered right. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
beforeAll(async () => {
  tollgate = await startTollgate();
  await tollgate.secret.post('/features', { code: 'export', name: 'Export', type: 'boolean' });
  await tollgate.secret.post('/features', { code: 'seats', name: 'Seats', type: 'limit', aggregation: 'sum' });
});
afterAll(() => tollgate.close());

const refused = { status: 400, body: expect.objectContaining({ code: 'invalid_request' }) };

function nested(depth: number, inner: string): string {
  return '{"a":'.repeat(depth) + inner + '}'.repeat(depth);
}

async function grant(fields: object) {
  const feature = { project_id: tollgate.project.id, feature: 'export', reason: 'A test' };
  return await tollgate.admin.post('/admin/grant', { ...feature, ...fields });
}

describe('a body that is nested a hundred thousand deep', () => {
  it('is refused', async () => {
    expect(await tollgate.secret.post('/features', nested(100_000, '1'))).toMatchObject(refused);
  });

  it('is refused where an escape makes the whole body be looked through', async () => {
    expect(await tollgate.secret.post('/features', nested(100_000, '"\\u0000"'))).toMatchObject(refused);
    expect(await tollgate.secret.post('/features', `${'['.repeat(200_000)}"\\u0000"`)).toMatchObject(refused);
  });

  it('is refused where an idempotency key makes it be hashed', async () => {
    const key = { 'idempotency-key': 'deep' };
    expect(await tollgate.secret.post('/features', nested(100_000, '1'), key)).toMatchObject(refused);
  });

  it('is no reason to refuse brackets inside a text', async () => {
    const name = `${'{['.repeat(90)}\\"`.slice(0, 180);
    const made = await tollgate.secret.post('/features', { code: 'brackets', name, type: 'boolean' });
    expect(made).toMatchObject({ status: 201, body: { name } });
  });
});

describe('a body of a million members', () => {
  it('is refused before every mistake in it is looked for', async () => {
    const many = Array(300_000).fill('{}').join(',');
    const answer = await tollgate.secret.post('/check', `{"checks":[${many}]}`);
    expect(answer).toMatchObject(refused);
    expect(answer.body.errors).toBeUndefined();
    expect(answer.body.detail).toContain('members');
  });

  it('is no reason to refuse a hundred checks of long names', async () => {
    const checks = Array(100).fill({ customer_id: ','.repeat(200), feature: ','.repeat(200) });
    expect((await tollgate.secret.post('/check', { checks })).status).toBe(200);
  });
});

describe('an id in the path that is longer than any', () => {
  it('is refused before anything is looked up', async () => {
    for (const client of [tollgate.secret, tollgate.as(null)]) {
      const { status } = await client.get(`/products/${'x'.repeat(9_000)}`);
      expect([400, 401, 404]).toContain(status);
    }
  });
});

describe('a cursor that was written by hand', () => {
  const lists = ['/admin/projects', '/admin/audit', '/admin/events', '/admin/reconciliations'];
  const own = ['/customers', '/features', '/products', '/prices', '/entitlements/history?customer_id=u1'];
  const cursors = [
    '[9007199254740991,"evt_1","default"]',
    '[-9007199254740991,"evt_1","default"]',
    '[-8640000000000000,"evt_1","default"]',
    '[1,"\\u0000","default"]',
    '[1,"\\ud800","default"]',
    '[]',
    'null',
    '99999999999999999999',
    '-1',
    'é',
  ];

  it.each(cursors)('%s never breaks a list', async (cursor) => {
    const sent = Buffer.from(cursor).toString('base64url');
    for (const [client, paths] of [[tollgate.admin, lists] as const, [tollgate.secret, own] as const]) {
      for (const path of paths) {
        const { status } = await client.get(`${path}${path.includes('?') ? '&' : '?'}cursor=${sent}`);
        expect([200, 400], path).toContain(status);
      }
    }
  });
});

describe('a moment at the end of the calendar', () => {
  it('is refused where in UTC it lies in the year 10000, which RFC 3339 cannot write', async () => {
    const late = '9999-12-31T23:59:59-23:59';
    expect(await grant({ customer_id: 'late', valid_to: late })).toMatchObject(refused);
    expect(await grant({ customer_id: 'late', valid_from: late })).toMatchObject(refused);
    expect(await tollgate.secret.get(`/explain?customer_id=late&feature=export&as_of=${late}`)).toMatchObject(refused);
  });

  it('holds a grant until the last millisecond of 9999', async () => {
    const valid_to = '9999-12-31T23:59:59.999Z';
    expect(await grant({ customer_id: 'edge', valid_from: '1970-01-01T00:00:00Z', valid_to })).toMatchObject({
      status: 201,
    });
    const { body } = await tollgate.secret.get('/check?customer_id=edge&feature=export');
    expect(body).toMatchObject({ entitled: true, valid_to });
  });
});

describe('limits that add up to more than an integer can hold', () => {
  it('stay at the largest exact integer', async () => {
    for (let i = 0; i < 3; i++) {
      await grant({ customer_id: 'big', feature: 'seats', value: Number.MAX_SAFE_INTEGER });
    }
    const { body } = await tollgate.secret.get('/check?customer_id=big&feature=seats');
    expect(body).toMatchObject({ entitled: true, value: Number.MAX_SAFE_INTEGER });
  });
});

describe('names that objects of JavaScript have by themselves', () => {
  it('are customers and features like any other', async () => {
    await tollgate.secret.post('/features', { code: 'constructor', name: 'Constructor', type: 'boolean' });
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
      const asked = `/check?customer_id=${name}&feature=constructor`;
      expect((await tollgate.secret.get(asked)).body).toMatchObject({ entitled: false });
      await grant({ customer_id: name, feature: 'constructor' });
      expect((await tollgate.secret.get(asked)).body).toMatchObject({ entitled: true });
      const unknown = await tollgate.secret.get(`/check?customer_id=${name}&feature=${name}`);
      expect(unknown.body.reason).toBe(name === 'constructor' ? 'grant' : 'unknown_feature');
    }
  });

  it('pollute nothing where they come as fields', async () => {
    const body = `{"customer_id":"u1","__proto__":{"polluted":true}}`;
    expect(await tollgate.secret.post('/checkout/sessions', body)).toMatchObject(refused);
    const { id } = tollgate.project;
    const policy = `{"access_policy":{"__proto__":{"past_due_grace_days":90}}}`;
    expect(await tollgate.admin.patch(`/admin/projects/${id}`, policy)).toMatchObject(refused);
    expect('polluted' in {}).toBe(false);
  });
});
