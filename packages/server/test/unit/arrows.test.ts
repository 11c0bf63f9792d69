/** Imports run one way between the rooms; the linter holds that, and here it is seen to. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '../../../..');
const biome = path.join(root, 'node_modules/.bin/biome');
let copy: string;

beforeAll(async () => {
  copy = await mkdtemp(path.join(tmpdir(), 'tollgate-arrows-'));
  const config = JSON.parse(await readFile(path.join(root, 'biome.json'), 'utf8'));
  delete config.$schema;
  config.vcs = { enabled: false };
  await writeFile(path.join(copy, 'biome.json'), JSON.stringify(config));
});
afterAll(async () => rm(copy, { recursive: true, force: true }));

/** What the linter says of one file with one import. */
async function lint(file: string, imported: string): Promise<{ ok: boolean; output: string }> {
  const place = path.join(copy, file);
  await mkdir(path.dirname(place), { recursive: true });
  await writeFile(place, `import { thing } from '${imported}';\n\nexport const used = thing;\n`);
  try {
    const { stdout, stderr } = await promisify(execFile)(biome, ['lint', '--colors=off', file], { cwd: copy });
    return { ok: true, output: stdout + stderr };
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return { ok: false, output: stdout + stderr };
  }
}

describe('the direction of imports', () => {
  it.each([
    ['packages/server/src/platform/planted.ts', '../projects/keys.ts'],
    ['packages/server/src/platform/http/planted.ts', '../../audit/record.ts'],
    ['packages/server/src/audit/planted.ts', '../mirror/sync-object.ts'],
    ['packages/server/src/facts/planted.ts', '../entitlements/recompute.ts'],
    ['packages/server/src/entitlements/planted.ts', '../grants/routes.ts'],
    ['packages/server/src/catalog/planted.ts', '../entitlements/recompute.ts'],
    ['packages/server/src/mirror/planted.ts', '../inbox/routes.ts'],
    ['packages/server/src/inbox/planted.ts', '../compose.ts'],
    ['packages/server/src/adoption/planted.ts', '../reconciliation/kind.ts'],
    ['packages/server/src/mirror/planted.ts', 'stripe'],
    ['packages/core/src/planted.ts', 'node:fs'],
    ['packages/stripe-sandbox/src/planted.ts', '@tollgate/core'],
  ])('%s may not import %s', async (file, imported) => {
    const { ok, output } = await lint(file, imported);
    expect(ok).toBe(false);
    expect(output).toContain('noRestrictedImports');
  });

  it.each([
    ['packages/server/src/mirror/fine.ts', '../facts/save-fact.ts'],
    ['packages/server/src/stripe/fine.ts', 'stripe'],
    ['packages/server/src/grants/fine.ts', '../audit/record.ts'],
  ])('%s may import %s', async (file, imported) => {
    expect(await lint(file, imported)).toMatchObject({ ok: true });
  });

  it('takes no two files that import each other, be it for a type', async () => {
    const there = path.join(copy, 'packages/server/src/facts/there.ts');
    await mkdir(path.dirname(there), { recursive: true });
    await writeFile(
      there,
      `import type { used } from './back.ts';\n\nexport const thing: typeof used | null = null;\n`,
    );
    const { ok, output } = await lint('packages/server/src/facts/back.ts', './there.ts');
    expect(ok).toBe(false);
    expect(output).toContain('noImportCycles');
  });

  it('is laid down for every room that there is', async () => {
    const { overrides } = JSON.parse(await readFile(path.join(root, 'biome.json'), 'utf8'));
    const ruled = overrides.flatMap(({ includes }: { includes: string[] }) => includes);
    const entries = await readdir(path.join(root, 'packages/server/src'), { withFileTypes: true });
    const rooms = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `packages/server/src/${name}/**`);
    expect(rooms.filter((room) => !ruled.includes(room))).toEqual([]);
  });
});
