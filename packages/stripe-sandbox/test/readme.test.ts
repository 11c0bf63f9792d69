import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import Stripe from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, type OpenSandbox, openSandbox, type Sandbox, startSandbox } from '../src/index.ts';
import { TEST_CARDS } from '../src/pages/test-cards.ts';

let sandbox: Sandbox;
let readme: string;

beforeAll(async () => {
  sandbox = await startSandbox();
  readme = await readFile(path.join(import.meta.dirname, '../README.md'), 'utf8');
});

afterAll(() => sandbox.close());

test('the example of the README runs as it stands, and leads to a checkout that can be paid', async () => {
  const code = /```js\n([\s\S]+?)```/.exec(readme)?.[1] ?? '';
  const here = code.replace(/^import .+\n/m, '').replace('port: 3001', `port: ${sandbox.port}`);
  const shown: string[] = [];
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
  const run = AsyncFunction('Stripe', 'console', here) as (stripe: typeof Stripe, console: object) => Promise<void>;
  await run(Stripe, { log: (text: string) => shown.push(text) });
  const answer = await fetch(`${shown[0]}/pay`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ card_number: '4242 4242 4242 4242' }),
  });
  expect(answer.headers.get('location')).toMatch(/^http:\/\/127\.0\.0\.1:3000\/thanks\?session_id=cs_test_/);
});

test('the example without a socket runs as it stands', async () => {
  const code = /```js\nimport \{ openSandbox[\s\S]+?```/.exec(readme)?.[0] ?? '';
  const here = code.replace(/^```.*$/gm, '').replace(/^import .+\n/m, '');
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
  const run = AsyncFunction('Stripe', 'openSandbox', `${here}; return { answer, sandbox };`) as (
    ...given: unknown[]
  ) => Promise<{ answer: Answer; sandbox: OpenSandbox }>;
  const { answer, sandbox } = await run(Stripe, openSandbox);
  expect(answer.status).toBe(200);
  expect(sandbox.control.state().now).toBe(Date.UTC(2027, 2, 3, 12) / 1000);
  await sandbox.close();
});

test('every control call that the README names exists', async () => {
  const calls = [...readme.matchAll(/`(GET|POST) ([a-z_/{}]+)`/g)].map(([, method, name]) => ({ method, name }));
  expect(calls.length).toBeGreaterThanOrEqual(13);
  for (const { method = '', name = '' } of calls) {
    const address = `${sandbox.url}/_sandbox/${name.replace('{kind}', 'customer')}`;
    const answer = await fetch(address, { method, ...(method === 'POST' ? { body: '{}' } : {}) });
    // A call without what it needs is refused for that, not as an address that nobody knows.
    expect(await answer.text(), `${method} ${name}`).not.toContain('Unrecognized request URL');
  }
});

test('the test cards of the README are those that the pages offer', () => {
  for (const { number } of TEST_CARDS) {
    expect(readme.replaceAll(' ', '')).toContain(number);
  }
});

test('the README names every parameter that is taken without effect', async () => {
  const table = readme.slice(readme.indexOf('| taken, and without effect |'));
  const without = new Set<string>();
  for await (const file of glob('**/*.ts', { cwd: path.join(import.meta.dirname, '../src') })) {
    const source = await readFile(path.join(import.meta.dirname, '../src', file), 'utf8');
    for (const [, name = ''] of source.matchAll(/(\w+): optional\(ignored\)/g)) without.add(name);
  }
  expect(without).toContain('automatic_tax');
  expect([...without].filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
});
