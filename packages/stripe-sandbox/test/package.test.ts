import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const PACKAGE = path.join(import.meta.dirname, '..');
const TSC = path.join(PACKAGE, '../../node_modules/typescript/bin/tsc');

/** Every Node on this machine: the project's own, and the one that the machine brings. */
function nodes(): { version: string; bin: string }[] {
  const places = [path.dirname(process.execPath), ...(process.env.PATH ?? '').split(path.delimiter)];
  const found = new Map<string, string>();
  for (const place of places) {
    const node = path.join(place, 'node');
    if (!existsSync(node)) continue;
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    if (!found.has(version)) found.set(version, path.dirname(realpathSync(node)));
  }
  return [...found].map(([version, bin]) => ({ version, bin }));
}

/** An npm command of the machine. */
function npmCli(name: 'npm' | 'npx'): string {
  const place = (process.env.PATH ?? '').split(path.delimiter).find((one) => existsSync(path.join(one, name)));
  if (place === undefined) throw new Error(`There is no ${name} on the PATH.`);
  return realpathSync(path.join(place, name));
}

let room: string;
let tarball: string;

/** The environment of somebody who has this Node and no network. */
function environment(bin: string) {
  return {
    PATH: [bin, '/usr/local/bin', '/usr/bin', '/bin'].join(path.delimiter),
    HOME: room,
    npm_config_cache: path.join(room, 'cache'),
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
}

async function emptyFolder(name: string): Promise<string> {
  const folder = path.join(room, name);
  await mkdir(folder);
  return folder;
}

beforeAll(async () => {
  room = await mkdtemp(path.join(tmpdir(), 'sandbox-package-'));
  const packed = await run('npm', ['pack', '--json', '--pack-destination', room], { cwd: PACKAGE });
  const said = packed.stdout.slice(packed.stdout.search(/^[[{]/m));
  const [, file] = /"filename": "([^"]+)"/.exec(said) ?? [];
  tarball = path.join(room, String(file));
}, 120_000);

afterAll(() => rm(room, { recursive: true, force: true }));

describe.each(nodes())('on Node $version', { timeout: 120_000 }, ({ version, bin }) => {
  test('npx starts the packed command in an empty folder, without a network', async () => {
    const cwd = await emptyFolder(`npx-${version}`);
    const npx = spawn(
      path.join(bin, 'node'),
      [npmCli('npx'), '--yes', `--package=${tarball}`, 'stripe-sandbox', '--port', '0'],
      {
        cwd,
        env: environment(bin),
        // A group of its own: npx stands between, and both have to end.
        detached: true,
      },
    );
    let said = '';
    const url = await new Promise<string>((resolve, reject) => {
      const hear = (text: Buffer) => {
        said += text.toString();
        const found = /^Stripe sandbox on (\S+)$/m.exec(said)?.[1];
        if (found !== undefined) resolve(found);
      };
      npx.stdout.on('data', hear);
      npx.stderr.on('data', hear);
      npx.on('close', () => reject(new Error(`It ended, saying: ${said}`)));
    });
    const answer = await fetch(`${url}/v1/customers`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk_test_packed' },
      body: new URLSearchParams({ email: 'ann@example.com' }),
    });
    expect(await answer.json()).toMatchObject({ object: 'customer', email: 'ann@example.com' });
    const ended = new Promise((resolve) => npx.once('close', resolve));
    process.kill(-Number(npx.pid), 'SIGTERM');
    await ended;
  });
});

test('a program that installs it gets the module with its types, and nothing else', { timeout: 120_000 }, async () => {
  const cwd = await emptyFolder('program');
  const env = environment(path.dirname(process.execPath));
  await writeFile(path.join(cwd, 'package.json'), '{"type":"module"}');
  await run(process.execPath, [npmCli('npm'), 'install', '--no-audit', '--no-fund', tarball], { cwd, env });
  const { stdout } = await run(process.execPath, [npmCli('npm'), 'ls', '--all', '--parseable'], { cwd, env });
  expect(stdout.trim().split('\n').slice(1)).toHaveLength(1);
  await writeFile(
    path.join(cwd, 'use.ts'),
    `import { openSandbox, type Answer, type OpenOptions } from '@tollgate/stripe-sandbox';
const options: OpenOptions = { seed: 1, clock: { at: new Date(0), frozen: true } };
const sandbox = await openSandbox(options);
const answer: Answer = await sandbox.handle({ method: 'GET', path: '/_sandbox/state' });
console.log(answer.status, JSON.parse(answer.body).now);
await sandbox.close();
// @ts-expect-error there is no such option
await openSandbox({ sede: 1 });
`,
  );
  const used = await run(process.execPath, ['use.ts'], { cwd, env });
  expect(used.stdout.trim()).toBe('200 0');
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,dom'];
  const checked = await run(process.execPath, [TSC, ...options, '--types', '', 'use.ts'], { cwd, env }).catch(
    (error: { stdout: string }) => error,
  );
  expect(checked.stdout).toBe('');
});
