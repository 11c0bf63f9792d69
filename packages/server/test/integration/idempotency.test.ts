import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from 'typebox';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { TollgateError } from '../../src/platform/errors.ts';
import { forgetOldAnswers } from '../../src/platform/http/idempotency.ts';
import { Closed } from '../../src/platform/http/schemas.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type HttpService, startHttp } from '../support/http.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;
let service: HttpService;
/** What the test's own routes do, and how often they did it. */
let done = 0;
let behave: () => unknown = () => ({});
const STALE_AFTER_MS = 600;
const DAY_MS = 24 * 60 * 60 * 1000;

beforeAll(async () => {
  database = await createTestDatabase({ max: 10 });
  service = await startHttp(database, { idempotencyStaleAfterMs: STALE_AFTER_MS }, (app) => {
    for (const [path, idempotent] of [
      ['/api/v1/act', true],
      ['/api/v1/other', true],
      ['/api/v1/read', false],
    ] as const) {
      app.post(
        path,
        {
          config: { access: { scope: 'customers:write' }, idempotent },
          schema: {
            body: Closed({
              n: Type.Optional(Type.Integer()),
              m: Type.Optional(Type.Integer()),
              project_id: Type.Optional(Type.String()),
            }),
          },
        },
        async (_request, reply) => {
          done += 1;
          const answer = await behave();
          return reply.code(201).header('location', '/somewhere').send(answer);
        },
      );
    }
  });
});
afterAll(async () => {
  await service.close();
  await database.drop();
});
beforeEach(() => {
  done = 0;
  behave = () => ({ done });
});

let last = 0;
const freshKey = () => ({ 'idempotency-key': `test-${process.pid}-${++last}` });

describe('a repeat with the same Idempotency-Key', () => {
  test('gets the first answer, and nothing happens twice', async () => {
    const key = freshKey();
    const first = await service.admin.post('/act', { n: 1 }, key);
    const second = await service.admin.post('/act', { n: 1 }, key);
    expect(done).toBe(1);
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(second).toMatchObject({ status: first.status, body: first.body });
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(second.headers.get('location')).toBe('/somewhere');
  });

  test('may order the members of its body otherwise', async () => {
    const key = freshKey();
    await service.admin.post('/act', '{"n":1,"m":2}', key);
    const second = await service.admin.post('/act', '{ "m": 2, "n": 1 }', key);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
  });

  test('and another body is refused with 422', async () => {
    const key = freshKey();
    await service.admin.post('/act', { n: 1 }, key);
    const second = await service.admin.post('/act', { n: 2 }, key);
    expect(second.status).toBe(422);
    expect(second.body.code).toBe('idempotency_key_reused');
    expect(done).toBe(1);
  });

  test('on another path, or with another API key, is another request', async () => {
    const key = freshKey();
    const project = (await service.admin.post('/admin/projects', { name: 'Other', slug: 'idempotent-other' })).body;
    await service.admin.post('/act', { n: 1 }, key);
    await service.admin.post('/other', { n: 1 }, key);
    await service.as(project.secret_key).post('/act', { n: 1 }, key);
    expect(done).toBe(3);
  });

  test('gets the answer of one that ended while its sign of life was being written', async () => {
    const key = freshKey();
    const other = await database.pool.connect();
    behave = async () => {
      await other.query('begin');
      const row = [key['idempotency-key']];
      await other.query('select from tollgate.idempotency_keys where idempotency_key = $1 for update', row);
      await sleep(STALE_AFTER_MS / 2);
      return { done };
    };
    const first = service.admin.post('/act', { n: 1 }, key);
    await sleep(STALE_AFTER_MS);
    await other.query('commit');
    other.release();
    expect((await first).status).toBe(201);
    const second = await service.admin.post('/act', { n: 1 }, key);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(done).toBe(1);
  });

  test('while the first runs is refused with 409, and only one of many at once runs', async () => {
    const key = freshKey();
    behave = async () => {
      await sleep(300);
      return { done };
    };
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => service.admin.post('/act', { n: 1 }, key)));
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409, 409, 409, 409]);
    const refused = answers.find((answer) => answer.status === 409);
    expect(refused?.body.code).toBe('idempotency_in_progress');
    expect(refused?.headers.get('retry-after')).toBe('1');
    expect(done).toBe(1);
  });

  test('gets a stored refusal too', async () => {
    const key = freshKey();
    behave = () => {
      throw new TollgateError('conflict', 'No.');
    };
    const first = await service.admin.post('/act', {}, key);
    behave = () => ({});
    const second = await service.admin.post('/act', {}, key);
    expect(first.status).toBe(409);
    expect(second).toMatchObject({ status: 409, body: first.body });
    expect(second.headers.get('content-type')).toContain('application/problem+json');
    expect(done).toBe(1);
  });

  test.each(['internal', 'stripe_unavailable', 'rate_limited', 'unauthorized'])('runs again after %s', async (code) => {
    const key = freshKey();
    behave = () => {
      throw new TollgateError(code, 'Not now.');
    };
    await service.admin.post('/act', {}, key);
    behave = () => ({ fine: true });
    const second = await service.admin.post('/act', {}, key);
    expect(second).toMatchObject({ status: 201, body: { fine: true } });
    expect(second.headers.get('idempotent-replayed')).toBeNull();
  });

  test('runs again after a day', async () => {
    const key = freshKey();
    await service.admin.post('/act', { n: 1 }, key);
    service.clock.advance(DAY_MS);
    const later = await service.admin.post('/act', { n: 2 }, key);
    expect(later.status).toBe(201);
    expect(done).toBe(2);
  });

  test('of a request whose process died takes over, and only with the same body', async () => {
    const key = freshKey();
    await service.admin.post('/act', { n: 1 }, key);
    await database.db
      .updateTable('tollgate.idempotency_keys')
      .set({ response_status: null, response_body: null, response_headers: null })
      .where('idempotency_key', '=', key['idempotency-key'])
      .execute();
    expect((await service.admin.post('/act', { n: 1 }, key)).status).toBe(409);
    service.clock.advance(STALE_AFTER_MS);
    expect((await service.admin.post('/act', { n: 2 }, key)).status).toBe(422);
    expect((await service.admin.post('/act', { n: 1 }, key)).status).toBe(201);
    expect(done).toBe(2);
  });

  test('does not take over a slow request that lives', async () => {
    const key = freshKey();
    behave = async () => {
      await sleep(STALE_AFTER_MS * 3);
      return { slow: true };
    };
    const first = service.admin.post('/act', {}, key);
    await until(() => done === 1);
    await sleep(STALE_AFTER_MS * 2);
    expect((await service.admin.post('/act', {}, key)).status).toBe(409);
    expect((await first).status).toBe(201);
    expect(done).toBe(1);
  });

  test('has null where the first answer held a secret, and no secret is stored', async () => {
    const key = freshKey();
    const body = { name: 'Secretive', slug: 'secretive' };
    const first = await service.admin.post('/admin/projects', body, key);
    const second = await service.admin.post('/admin/projects', body, key);
    expect(second.status).toBe(201);
    expect(second.body).toEqual({ ...first.body, secret_key: null, publishable_key: null });
    const made = await service.admin.post(`/admin/projects/${first.body.id}/keys`, {}, key);
    const again = await service.admin.post(`/admin/projects/${first.body.id}/keys`, {}, key);
    expect(again.body).toEqual({ ...made.body, key: null });
    const stored = JSON.stringify(await database.db.selectFrom('tollgate.idempotency_keys').selectAll().execute());
    for (const secret of [first.body.secret_key, first.body.publishable_key, made.body.key]) {
      expect(stored).not.toContain(secret);
    }
  });
});

describe('an Idempotency-Key', () => {
  test.each([
    ['that is empty', ''],
    ['that is too long', 'x'.repeat(256)],
    ['with a character that is not ASCII', 'schl\u00fcssel'],
  ])('%s is refused', async (_what, value) => {
    const answer = await service.admin.post('/act', {}, { 'idempotency-key': value });
    expect(answer.status).toBe(400);
    expect(done).toBe(0);
  });

  test('of 255 characters is taken', async () => {
    expect((await service.admin.post('/act', {}, { 'idempotency-key': 'x'.repeat(255) })).status).toBe(201);
  });

  test('is not looked at where a POST changes nothing', async () => {
    const key = freshKey();
    await service.admin.post('/read', {}, key);
    await service.admin.post('/read', { n: 1 }, key);
    expect(done).toBe(2);
  });

  test('is forgotten after a day', async () => {
    await service.admin.post('/act', {}, freshKey());
    expect(await forgetOldAnswers(database.db, service.clock.now() + DAY_MS)).toBeGreaterThan(0);
    expect(await database.db.selectFrom('tollgate.idempotency_keys').selectAll().execute()).toEqual([]);
  });
});
