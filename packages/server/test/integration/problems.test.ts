import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type App, createApp } from '../../src/platform/http/app.ts';
import { projectOf } from '../../src/platform/http/principal.ts';
import { Closed, CustomerId, WithProject } from '../../src/platform/http/schemas.ts';
import { createLog } from '../../src/platform/log.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { ADMIN_KEY, type HttpService, startHttp } from '../support/http.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;
let service: HttpService;
let secretKey: string;
const answered: string[] = [];
const logged: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startHttp(
    database,
    {
      log: createLog('info', { write: (line) => void logged.push(line) }),
      rateLimit: { max: 20, windowMs: 1_000 },
      failedAttempts: { max: 5, windowMs: 60_000 },
      onAnswered: ({ method, route, status }) => answered.push(`${method} ${route} ${status}`),
    },
    addRoutes,
  );
  secretKey = (await service.admin.post('/admin/projects', { name: 'P', slug: 'problems' })).body.secret_key;
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

function addRoutes(app: App): void {
  const config = { access: { scope: 'entitlements:read' }, rateLimit: false, idempotent: false } as const;
  app.get(
    '/api/v1/echo/:customer_id',
    { config, schema: { params: Closed({ customer_id: CustomerId }), querystring: WithProject({}) } },
    async (request) => ({ customer_id: request.params.customer_id, project_id: projectOf(request) }),
  );
  app.post(
    '/api/v1/echo',
    { config, schema: { body: WithProject({ text: Type.String() }) } },
    async ({ body }) => body,
  );
  app.post('/api/v1/nothing', { config }, async () => ({ ok: true }));
  app.get('/api/v1/broken', { config }, async () => {
    throw new Error('select secret from passwords');
  });
  app.get('/api/v1/limited', { config: { access: config.access } }, async () => ({ ok: true }));
  app.post('/raw', { config: { access: { public: true }, rawBody: true } }, async ({ body }) => ({
    bytes: Buffer.isBuffer(body) ? body.toString('latin1') : null,
  }));
}

const project = () => service.as(secretKey);

describe('every refusal is a problem document', () => {
  const cases: [string, number, string, (url: string) => Promise<Response>][] = [
    ['an unknown path', 404, 'not_found', (url) => fetch(`${url}/api/v2/check`)],
    [
      'a known path with another method',
      405,
      'method_not_allowed',
      (url) => fetch(`${url}/api/v1/limited`, { method: 'DELETE' }),
    ],
    ['a path that is no UTF-8', 400, 'invalid_request', (url) => fetch(`${url}/%ff`)],
    ['no key', 401, 'unauthorized', (url) => fetch(`${url}/api/v1/limited`)],
    ['JSON that is cut off', 400, 'invalid_request', (url) => post(url, '{"text":')],
    ['bytes that are no UTF-8', 400, 'invalid_request', (url) => post(url, Buffer.from('{"text":"\xff"}', 'latin1'))],
    ['a form', 415, 'unsupported_media_type', (url) => post(url, 'text=1', 'application/x-www-form-urlencoded')],
    ['XML', 415, 'unsupported_media_type', (url) => post(url, '<a/>', 'text/xml')],
    ['NUL in a body', 400, 'invalid_request', (url) => post(url, '{"text":"a\\u0000b"}')],
    ['NUL in a path', 400, 'invalid_request', (url) => get(url, '/api/v1/echo/a%00b')],
    ['NUL in a query', 400, 'invalid_request', (url) => get(url, '/api/v1/echo/a?project_id=%00')],
    [
      'a body of more than a mebibyte',
      413,
      'payload_too_large',
      (url) => post(url, JSON.stringify({ text: 'x'.repeat(1024 * 1024) })),
    ],
    ['a field too many', 400, 'invalid_request', (url) => post(url, '{"text":"a","more":1}')],
    ['an error of ours', 500, 'internal', (url) => get(url, '/api/v1/broken')],
  ];

  test.each(cases)('%s: %i %s', async (_what, status, code, ask) => {
    const response = await ask(service.url);
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    const problem = (await response.json()) as Record<string, unknown>;
    expect(response.status).toBe(status);
    expect(problem).toMatchObject({
      type: `urn:tollgate:problem:${code}`,
      title: expect.any(String),
      status,
      detail: expect.stringMatching(/\.$/),
      code,
      request_id: expect.stringMatching(/^req_/),
    });
    expect(JSON.stringify(problem)).not.toMatch(/passwords|node_modules|\.ts:/);
  });

  function get(url: string, path: string) {
    return fetch(url + path, { headers: { authorization: `Bearer ${secretKey}` } });
  }
  function post(url: string, body: string | Buffer, type = 'application/json') {
    const headers = { authorization: `Bearer ${secretKey}`, 'content-type': type };
    return fetch(`${url}/api/v1/echo`, {
      method: 'POST',
      headers,
      body: typeof body === 'string' ? body : new Uint8Array(body),
    });
  }

  test('also what is no HTTP, and headers that are too large', async () => {
    expect(await speak('NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*application\/problem\+json.*"invalid_request"/s);
    const large = `GET / HTTP/1.1\r\nhost: x\r\nlarge: ${'x'.repeat(20_000)}\r\n\r\n`;
    expect(await speak(large)).toMatch(/^HTTP\/1\.1 431 .*application\/problem\+json.*"headers_too_large"/s);
  });

  test.each([
    ['application/json', 413],
    ['text/xml', 415],
  ])(
    'a body of %s that is not read is taken off the wire, so that who sends it all first hears the %i',
    async (type, status) => {
      const body = 'x'.repeat(8 * 1024 * 1024);
      const head = `POST /api/v1/echo HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secretKey}\r\ncontent-type: ${type}\r\n`;
      const next = 'GET /api/v2/next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
      const answers = await speak(`${head}content-length: ${body.length}\r\n\r\n${body}${next}`);
      expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual([`HTTP/1.1 ${status}`, 'HTTP/1.1 404']);
    },
  );

  test('405 names what the path takes', async () => {
    const response = await fetch(`${service.url}/api/v1/admin/projects/prj_1`, { method: 'PUT' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, PATCH');
  });
});

describe('the project of a request', () => {
  test('is the key’s own, which may not be named', async () => {
    expect((await project().get('/echo/u_1')).body.project_id).toMatch(/^prj_/);
    const named = await project().get('/echo/u_1?project_id=prj_2');
    expect(named).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ path: 'project_id' }] } });
  });

  test('is named by an admin key', async () => {
    expect((await service.admin.get('/echo/u_1?project_id=prj_2')).body.project_id).toBe('prj_2');
    expect(await service.admin.get('/echo/u_1')).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'project_id' }] },
    });
  });
});

test('a customer id of 200 characters of any script is a path', async () => {
  for (const id of ['💶'.repeat(100), 'x'.repeat(200), 'a/b?c#d%e', 'ü ']) {
    const answer = await project().get(`/echo/${encodeURIComponent(id)}`);
    expect(answer, id).toMatchObject({ status: 200, body: { customer_id: id } });
  }
});

test('a route without a body schema takes no fields', async () => {
  expect((await project().post('/nothing')).status).toBe(200);
  expect((await project().post('/nothing', {})).status).toBe(200);
  expect((await project().post('/nothing', { a: 1 })).status).toBe(400);
});

test('a route that checks signatures gets the bytes as they came', async () => {
  const response = await fetch(`${service.url}/raw`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"a": \xe9 ',
  });
  expect(await response.json()).toEqual({ bytes: Buffer.from('{"a": \xe9 ').toString('latin1') });
});

describe('limits', () => {
  test('a key that asks too often is told when to come back; other keys are not', async () => {
    const other = (await service.admin.post('/admin/projects', { name: 'Q', slug: 'unlimited' })).body.secret_key;
    const answers = await Promise.all(Array.from({ length: 30 }, () => project().get('/limited')));
    const refused = answers.filter((answer) => answer.status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(10);
    expect(refused[0]?.body.code).toBe('rate_limited');
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
    expect((await service.as(other).get('/limited')).status).toBe(200);
  });

  test('a route that opts out is not limited', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => project().get('/echo/u_1')));
    expect(answers.every((answer) => answer.status === 200)).toBe(true);
  });

  test('an address that fails to authenticate too often is limited, but good project keys pass', async () => {
    const strangers = await startHttp(database, { failedAttempts: { max: 5, windowMs: 60_000 } }, addRoutes);
    try {
      const statuses = [];
      for (let i = 0; i < 7; i++) statuses.push((await strangers.as(`tg_sk_guess${i}`).get('/echo/u_1')).status);
      expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
      const refused = await strangers.as('tg_admin_guess').get('/echo/u_1');
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
      expect((await strangers.as(secretKey).get('/echo/u_1')).status).toBe(200);
    } finally {
      await strangers.close();
    }
  });

  test('a key that a person chose could be guessed, so it waits behind guesses', async () => {
    const strangers = await startHttp(database, { failedAttempts: { max: 5, windowMs: 60_000 } }, addRoutes);
    const operator = () => strangers.as(ADMIN_KEY).get('/echo/u_1?project_id=prj_1');
    try {
      for (let i = 0; i < 5; i++) await strangers.as(`tg_admin_guess${i}`).get('/echo/u_1');
      expect((await operator()).status).toBe(429);
      strangers.clock.advance(60_000);
      expect((await operator()).status).toBe(200);
    } finally {
      await strangers.close();
    }
  });

  test('there may be more failures than guesses: a bad key is told so each time, wherever it is tried', async () => {
    const limits = { max: 9, maxGuesses: 3, windowMs: 60_000 };
    const strangers = await startHttp(database, { failedAttempts: limits }, addRoutes);
    const statusOf = async (key: string) => (await strangers.as(key).get('/echo/u_1')).status;
    try {
      for (let i = 0; i < 5; i++) expect(await statusOf('not_the_key')).toBe(401);
      expect([await statusOf('guess_2'), await statusOf('guess_3'), await statusOf('guess_4')]).toEqual([
        401, 401, 429,
      ]);
      expect([await statusOf('tg_sk_a'), await statusOf('tg_sk_b'), await statusOf('tg_sk_c')]).toEqual([
        401, 401, 429,
      ]);
    } finally {
      await strangers.close();
    }
  });

  test.each([
    ['a project key that was revoked', 'tg_sk_revoked_and_still_in_use'],
    ['one wrong key of whatever kind', 'not_the_key'],
  ])('%s is no guess when it comes again and again, and locks no operator out', async (_what, key) => {
    const strangers = await startHttp(database, { failedAttempts: { max: 5, windowMs: 60_000 } }, addRoutes);
    try {
      const statuses = [];
      for (let i = 0; i < 7; i++) statuses.push((await strangers.as(key).get('/echo/u_1')).status);
      expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
      expect((await strangers.as(ADMIN_KEY).get('/echo/u_1?project_id=prj_1')).status).toBe(200);
    } finally {
      await strangers.close();
    }
  });
});

describe('headers', () => {
  test('let nobody frame, sniff or load anything', async () => {
    const { headers } = await project().get('/echo/u_1');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  test('of pages let them load their own scripts', async () => {
    const page = await fetch(`${service.url}/docs/`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    const script = await fetch(`${service.url}/docs/static/swagger-initializer.js`);
    expect(script.status).toBe(200);
  });
});

test('each request leaves one line and one observation, which name the route and no customer', async () => {
  // Lines are written a little after their answers: those of the tests before have to be through.
  await sleep(100);
  answered.length = 0;
  logged.length = 0;
  await project().get('/echo/somebody');
  await until(() => answered.length > 0 && logged.length > 0);
  expect(answered).toEqual(['GET /api/v1/echo/:customer_id 200']);
  expect(logged.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      msg: 'answered',
      route: '/api/v1/echo/:customer_id',
      status: 200,
      key_id: expect.stringMatching(/^key_/),
    }),
  ]);
  expect(logged.join()).not.toContain('somebody');
});

describe('the application does not start', () => {
  const bare = () =>
    createApp({
      log: createLog('silent'),
      db: database.db,
      clock: service.clock,
      authenticate: () => null,
    });

  test('with a route that does not say who may call it', async () => {
    const app = await bare();
    expect(() => app.get('/open', async () => 'x')).toThrow('GET /open does not say who may call it');
  });

  test('with a route that would let unknown fields pass', async () => {
    const app = await bare();
    const add = () =>
      app.post('/loose', { config: { access: { public: true } }, schema: { body: Type.Object({}) } }, async () => 'x');
    expect(add).toThrow('POST /loose would let unknown fields pass in its body');
  });
});

test('a database that is away is 503 with Retry-After, and a known key goes on working', async () => {
  const away = await createTestDatabase();
  const at = await startHttp(away, {}, addRoutes);
  const key = (await at.admin.post('/admin/projects', { name: 'Away', slug: 'away' })).body.secret_key;
  expect((await at.as(key).get('/echo/u_1')).status).toBe(200);
  await away.drop();
  at.clock.advance(60_000);
  expect((await at.as(key).get('/echo/u_1')).status).toBe(200);
  const answer = await at.admin.get('/admin/projects');
  expect(answer.status).toBeGreaterThanOrEqual(500);
  await at.close();
});

function speak(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port, hostname } = new URL(service.url);
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}
