/** The HTTP contract is a file: a change of it shows in the diff. `make openapi` writes it again. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

const FILE = path.join(import.meta.dirname, '../../../../docs/openapi.json');
let tollgate: Tollgate;
// biome-ignore lint/suspicious/noExplicitAny: a document is read here and there.
let document: any;

beforeAll(async () => {
  tollgate = await startTollgate();
  document = await (await fetch(`${tollgate.url}/openapi.json`)).json();
});
afterAll(async () => tollgate.close());

describe('the OpenAPI document', () => {
  it('is the one that is checked in', async () => {
    expect(existsSync(FILE)).toBe(true);
    document.info.version = '0.1.0';
    await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot(FILE);
  });

  it('is OpenAPI 3.1 with every path under /api/v1 or at the root, and a summary for each operation', () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    for (const [url, operations] of Object.entries<Record<string, { summary?: string; tags?: string[] }>>(
      document.paths,
    )) {
      expect(url).toMatch(/^\/api\/v1\/|^\/(healthz|ready|metrics)$/);
      for (const [method, operation] of Object.entries(operations)) {
        expect([method, url, operation.summary?.length ?? 0]).not.toEqual([method, url, 0]);
        expect([method, url, operation.tags?.length ?? 0]).toEqual([method, url, 1]);
      }
    }
  });

  it('has no reference that leads nowhere', () => {
    const references = JSON.stringify(document).match(/"#\/[^"]+"/g) ?? [];
    for (const reference of new Set(references)) {
      const parts = JSON.parse(reference).slice(2).split('/');
      const target = parts.reduce((node: Record<string, unknown> | undefined, part: string) => {
        return node?.[part] as Record<string, unknown> | undefined;
      }, document);
      expect([reference, typeof target]).toEqual([reference, 'object']);
    }
    expect(references.length).toBeGreaterThan(20);
  });

  it('is browsable at /docs', async () => {
    const response = await fetch(`${tollgate.url}/docs`);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('swagger');
  });
});
