import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVENT_TYPES } from '../../src/inbox/event-types.ts';
import { problemCodes } from '../../src/platform/http/problems.ts';
import {
  anchors,
  blocks,
  calledPaths,
  type Document,
  documents,
  endpoints,
  inlineCode,
  links,
  ROOT,
  repositoryFiles,
} from '../support/documents.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

const all = documents();
const files = repositoryFiles();
const folders = new Set(files.flatMap((file) => ancestors(file)));
const read = (name: string) => readFileSync(path.join(ROOT, name), 'utf8');
const named = (name: string): Document => {
  const found = all.find((document) => document.name === name);
  if (found === undefined) throw new Error(`There is no ${name}.`);
  return found;
};

function ancestors(file: string): string[] {
  const folder = path.posix.dirname(file);
  return folder === '.' ? [] : [folder, ...ancestors(folder)];
}

let tollgate: Tollgate;
beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true });
});
afterAll(() => tollgate.close());

describe.each(all.map((document) => [document.name, document] as const))('%s', (name, document) => {
  test('links to what there is', () => {
    const broken = links(document).filter((link) => {
      const [to = '', anchor] = link.split('#');
      const target = to === '' ? name : path.posix.normalize(path.posix.join(path.posix.dirname(name), to));
      if (!files.includes(target) && !folders.has(target.replace(/\/$/, ''))) return true;
      return anchor !== undefined && !anchors(named(target)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('names files and folders that exist', () => {
    const paths = inlineCode(document).filter((code) =>
      /^(packages|docs|benchmarks|examples|\.ci)\/[\w./-]+$/.test(code),
    );
    const bare = inlineCode(document).filter((code) => /^[A-Za-z][\w.-]*\.(ts|sql|md|yaml|json)$/.test(code));
    const missing = [
      ...paths.filter((at) => !existsSync(path.join(ROOT, at))),
      ...bare.filter((file) => !files.some((known) => path.posix.basename(known) === file)),
    ];
    expect(missing).toEqual([]);
  });

  test('names make targets that exist', () => {
    const targets = [...document.text.matchAll(/(?:`|^\s*)make ([a-z][a-z-]*)/gm)].map(([, target = '']) => target);
    const phony = /^\.PHONY: (.*)$/m.exec(read('Makefile'))?.[1]?.split(' ') ?? [];
    expect(targets.filter((target) => !phony.includes(target))).toEqual([]);
  });

  test('names settings that are read', () => {
    const words = inlineCode(document).flatMap((code) => code.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g) ?? []);
    const known = [...settings(), ...OF_OTHERS];
    expect(words.filter((word) => !known.includes(word))).toEqual([]);
  });

  test('names endpoints that exist', () => {
    const unknown = [
      ...endpoints(document)
        .filter((endpoint) => !isEndpoint(endpoint.path, endpoint.method))
        .map((endpoint) => `${endpoint.method} ${endpoint.path}`),
      ...calledPaths(document).filter((at) => !isEndpoint(at)),
    ];
    expect(unknown).toEqual([]);
  });
});

/** Read by samples, tests, the compose file and the tools around the service. */
const OF_OTHERS = [
  'TOLLGATE_URL',
  'TOLLGATE_SECRET_KEY',
  'TOLLGATE_FOLDER',
  'TEST_DATABASE_URL',
  'TEST_LOG_LEVEL',
  'VITEST_ARGS',
  'POSTGRES_PASSWORD',
  // A placeholder of Stripe's, kept as it is.
  'CHECKOUT_SESSION_ID',
];

function settings(): string[] {
  const found = [...read('packages/server/src/config.ts').matchAll(/read\w*\.\w+\('([A-Z][A-Z0-9_]+)'/g)];
  return [...new Set(found.map(([, name = '']) => name))];
}

/** A path of the contract, with or without `/api/v1`; parameters may have any name, or a value. */
function isEndpoint(at: string, method?: string): boolean {
  const { paths = {} } = tollgate.app.swagger() as { paths?: Record<string, Record<string, unknown>> };
  return Object.entries(paths).some(([pattern, methods]) => {
    const expression = new RegExp(`^(?:/api/v1)?${pattern.replace('/api/v1', '').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`);
    return expression.test(at) && (method === undefined || method.toLowerCase() in methods);
  });
}

describe('README.md', () => {
  test('lists every setting, and its default where there is one', () => {
    const rows = named('README.md')
      .text.split('\n')
      .filter((line) => line.startsWith('| `'));
    const listed = rows.flatMap((row) => row.split('|')[1]?.match(/[A-Z][A-Z0-9_]+/g) ?? []);
    expect(listed.sort()).toEqual(settings().sort());
  });
});

describe('docs/operations.md', () => {
  test('names metrics that are measured', async () => {
    const text = await (await fetch(`${tollgate.url}/metrics`)).text();
    const metrics = [...named('docs/operations.md').text.matchAll(/`(tollgate_[a-z_]+)[`{]/g)].map(([, name]) => name);
    expect(metrics.length).toBeGreaterThan(5);
    expect(metrics.filter((name) => !text.includes(`# TYPE ${name} `))).toEqual([]);
  });
});

describe('docs/webhooks.md', () => {
  test('lists the types of events that are acted upon', () => {
    const listed = blocks(named('docs/webhooks.md'), '').flatMap(
      (block) => block.match(/^[a-z_]+(\.[a-z_]+)+$/gm) ?? [],
    );
    expect(listed.sort()).toEqual(Object.keys(EVENT_TYPES).sort());
  });
});

test('documents name codes of errors that there are', () => {
  const known = new Set(problemCodes().map(({ code }) => code));
  const named409 = all.flatMap((document) =>
    [...document.prose.matchAll(/(?:[45]\d\d) `([a-z]+(?:_[a-z]+)+)`/g)].map(([, code = '']) => code),
  );
  expect(named409.length).toBeGreaterThan(3);
  expect(named409.filter((code) => !known.has(code))).toEqual([]);
});
