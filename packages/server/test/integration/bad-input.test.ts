/** Bad input to every endpoint: a clear 4xx problem, never a 5xx, and nothing half-written. */
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
}
interface Operation {
  method: string;
  path: string;
  parameters: { name: string; in: string; schema: Schema }[];
  body: Schema | undefined;
}

let tollgate: Tollgate;
let operations: Operation[];

beforeAll(async () => {
  tollgate = await startTollgate({ limits: { rateLimit: { max: 1_000_000, windowMs: 1_000 } } });
  const document = tollgate.app.swagger() as unknown as {
    paths: Record<
      string,
      Record<
        string,
        { parameters?: Operation['parameters']; requestBody?: { content: Record<string, { schema: Schema }> } }
      >
    >;
    components: { schemas: Record<string, Schema> };
  };
  const resolved = (schema: Schema | undefined): Schema | undefined =>
    schema?.$ref === undefined ? schema : document.components.schemas[schema.$ref.split('/').at(-1) as string];
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      parameters: operation.parameters ?? [],
      body: resolved(operation.requestBody?.content['application/json']?.schema),
    })),
  );
});
afterAll(async () => tollgate.close());

/** Admin routes with the admin's key, the rest with the app's. */
function keyFor(path: string): string {
  return (path.includes('/admin/') ? tollgate.admin.key : tollgate.secret.key) as string;
}

const filled = (path: string, id = 'nothing_1') => path.replace(/\{\w+\}/g, encodeURIComponent(id));

interface Sent {
  query?: string;
  body?: string | Buffer;
  type?: string;
  id?: string;
}

async function send(operation: Operation, sent: Sent) {
  const { method, path } = operation;
  const response = await fetch(`${tollgate.url}${filled(path, sent.id)}${sent.query ?? ''}`, {
    method,
    headers: {
      authorization: `Bearer ${keyFor(path)}`,
      ...(sent.body === undefined ? {} : { 'content-type': sent.type ?? 'application/json' }),
    },
    ...(sent.body === undefined ? {} : { body: sent.body }),
  });
  return { status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text() };
}

/** Refused, and so that its reader knows what to do. */
function expectProblem(what: string, answer: Awaited<ReturnType<typeof send>>) {
  expect(`${what}: ${answer.status}`).toMatch(/: 4\d\d$/);
  expect([what, answer.type]).toEqual([what, expect.stringContaining('application/problem+json')]);
  const problem = JSON.parse(answer.text);
  expect(problem).toMatchObject({
    status: answer.status,
    title: expect.any(String),
    request_id: expect.stringMatching(/^req_/),
  });
  expect(problem.code).toMatch(/^[a-z][a-z_]+$/);
  expect(problem.detail.length).toBeGreaterThan(10);
  expect(answer.text).not.toMatch(/node_modules|\bat .+\.ts:|select |insert |sk_test_/);
}

/** How many rows each table has. */
async function counts(): Promise<Record<string, number>> {
  const { rows } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = 'tollgate'`.execute(
    tollgate.database.db,
  );
  const entries = rows
    .filter(({ name }) => name !== 'idempotency_keys')
    .map(async ({ name }) => {
      const counted = await sql<{ n: number }>`select count(*)::int as n from ${sql.table(`tollgate.${name}`)}`.execute(
        tollgate.database.db,
      );
      return [name, counted.rows[0]?.n ?? -1] as const;
    });
  return Object.fromEntries(await Promise.all(entries));
}

const isWebhook = ({ path }: Operation) => path.includes('/webhooks/');
const isPage = ({ path }: Operation) => !path.startsWith('/api/');
/** Of no type that any field takes. */
const WRONG = { never: [{ a: 'field' }] };

describe('bad input', () => {
  it('in a body is refused by every endpoint that takes one, and leaves nothing behind', async () => {
    const before = await counts();
    for (const operation of operations.filter(({ body }) => body !== undefined)) {
      const what = `${operation.method} ${operation.path}`;
      const bodies: Sent[] = [
        { body: '{' },
        { body: '[]' },
        { body: 'null' },
        { body: '"text"' },
        { body: '{"a":"\\u0000"}' },
        { body: JSON.stringify({ not_a_field: 1 }) },
        { body: '{}', type: 'text/plain' },
        { body: '{}', type: 'application/xml' },
        { body: Buffer.from([0x7b, 0xff, 0xfe, 0x7d]) },
        { body: `{"a":"${'x'.repeat(2_000_000)}"}` },
        { body: '{"__proto__":{"a":1}}' },
        ...Object.keys(operation.body?.properties ?? {}).map((name) => ({ body: JSON.stringify({ [name]: WRONG }) })),
      ];
      for (const sent of bodies) {
        expectProblem(`${what} with ${String(sent.body).slice(0, 60)}`, await send(operation, sent));
      }
    }
    expect(await counts()).toEqual(before);
  });

  it('in a query is refused by every endpoint', async () => {
    const before = await counts();
    for (const operation of operations.filter((one) => !isPage(one) && !isWebhook(one))) {
      const what = `${operation.method} ${operation.path}`;
      const queries = ['?not_a_parameter=1', '?%00=1'];
      for (const { name, schema } of operation.parameters.filter((parameter) => parameter.in === 'query')) {
        queries.push(`?${name}=${'x'.repeat(3_000)}`, `?${name}=a&${name}=b`, `?${name}=%00`);
        if (schema.type === 'integer') queries.push(`?${name}=0`, `?${name}=-1`, `?${name}=1e9`, `?${name}=1.5`);
      }
      for (const query of queries) {
        const body = operation.body === undefined ? {} : { body: '{}' };
        expectProblem(`${what}${query.slice(0, 60)}`, await send(operation, { query, ...body }));
      }
    }
    expect(await counts()).toEqual(before);
  });

  it('in a path is refused by every endpoint that has an id in it', async () => {
    for (const operation of operations.filter((one) => one.path.includes('{') && !isWebhook(one))) {
      for (const id of ['x'.repeat(1_500), '../../etc/passwd', "' or 1=1 --", '☃', '%', ' ']) {
        const body = operation.body === undefined ? {} : { body: '{"not_a_field":1}' };
        expectProblem(
          `${operation.method} ${operation.path} of ${id.slice(0, 20)}`,
          await send(operation, { id, ...body }),
        );
      }
    }
  });

  it('that is a blank reason is refused by every endpoint that takes one', async () => {
    const whole = { project_id: tollgate.project.id, customer_id: 'u_1', feature: 'export' };
    const taking = operations.filter(({ body }) => body?.properties?.reason !== undefined);
    expect(taking.length).toBeGreaterThanOrEqual(6);
    for (const operation of taking) {
      for (const reason of [' ', '\t\n', '\u00a0']) {
        const wanted = Object.entries({ ...whole, reason }).filter(
          ([name]) => name in (operation.body?.properties ?? {}),
        );
        const answer = await send(operation, { body: JSON.stringify(Object.fromEntries(wanted)) });
        const what = `${operation.method} ${operation.path} with ${JSON.stringify(reason)}`;
        expect([what, answer.status, JSON.parse(answer.text).errors]).toEqual([
          what,
          400,
          [expect.objectContaining({ path: 'reason' })],
        ]);
      }
    }
  });

  it('made at random never brings a 5xx', async () => {
    const withBody = operations.filter(({ body }) => body?.properties !== undefined);
    const nasty = fc.oneof(
      fc.json({ maxDepth: 2 }).map((text) => JSON.parse(text)),
      fc.constantFrom(
        '',
        ' ',
        '\u202e',
        'prj_',
        'a'.repeat(500),
        -1,
        0,
        1e15,
        1.5,
        null,
        true,
        [],
        {},
        '2026-02-30T00:00:00Z',
      ),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.nat(withBody.length - 1).chain((index) => {
          const operation = withBody[index] as Operation;
          const names = Object.keys(operation.body?.properties ?? {});
          return fc.tuple(
            fc.constant(operation),
            fc.record(Object.fromEntries(names.map((name) => [name, nasty])), { requiredKeys: [] }),
          );
        }),
        async ([operation, body]) => {
          const answer = await send(operation, { body: JSON.stringify(body) });
          expect(`${operation.method} ${operation.path}: ${answer.status} ${answer.text}`).not.toMatch(/: 5\d\d /);
        },
      ),
      { numRuns: 400 },
    );
  });
});
