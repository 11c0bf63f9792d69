/** Who may call what: every endpoint of the service against every kind of credential. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCOPES } from '../../src/platform/http/principal.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

type Rule = 'public' | 'admin' | (typeof SCOPES)[number];

/** Each endpoint with who may call it; `+` marks those that a publishable key may call too. */
const TABLE: [endpoint: string, rule: Rule | `${Rule}+`][] = [
  ['GET /api/v1/entitlements', 'entitlements:read'],
  ['GET /api/v1/entitlements/history', 'entitlements:read'],
  ['GET /api/v1/check', 'entitlements:read'],
  ['POST /api/v1/check', 'entitlements:read'],
  ['GET /api/v1/explain', 'entitlements:read'],
  ['POST /api/v1/checkout/sessions', 'checkout:write'],
  ['GET /api/v1/checkout/sessions/:id', 'checkout:write'],
  ['POST /api/v1/portal/sessions', 'checkout:write'],
  ['GET /api/v1/customers', 'customers:read'],
  ['GET /api/v1/customers/:customer_id', 'customers:read'],
  ['GET /api/v1/customers/:customer_id/payments', 'customers:read'],
  ['PUT /api/v1/customers/:customer_id', 'customers:write'],
  ['GET /api/v1/features', 'catalog:read+'],
  ['POST /api/v1/features', 'catalog:write'],
  ['GET /api/v1/features/:code', 'catalog:read+'],
  ['PATCH /api/v1/features/:code', 'catalog:write'],
  ['GET /api/v1/products', 'catalog:read+'],
  ['POST /api/v1/products', 'catalog:write'],
  ['POST /api/v1/products/import', 'catalog:write'],
  ['GET /api/v1/products/:id', 'catalog:read+'],
  ['PATCH /api/v1/products/:id', 'catalog:write'],
  ['PUT /api/v1/products/:id/features', 'catalog:write'],
  ['GET /api/v1/prices', 'catalog:read+'],
  ['POST /api/v1/prices', 'catalog:write'],
  ['GET /api/v1/prices/:id', 'catalog:read+'],
  ['PATCH /api/v1/prices/:id', 'catalog:write'],
  ['PUT /api/v1/prices/:id/features', 'catalog:write'],
  ['GET /api/v1/recomputations/:id', 'catalog:read'],
  ['GET /api/v1/webhook-endpoints', 'customers:read'],
  ['POST /api/v1/webhook-endpoints', 'customers:write'],
  ['GET /api/v1/webhook-endpoints/:id', 'customers:read'],
  ['PATCH /api/v1/webhook-endpoints/:id', 'customers:write'],
  ['DELETE /api/v1/webhook-endpoints/:id', 'customers:write'],
  ['POST /api/v1/webhook-endpoints/:id/rotate', 'customers:write'],
  ['POST /api/v1/webhook-endpoints/:id/replay', 'customers:write'],
  ['GET /api/v1/webhook-endpoints/:id/deliveries', 'customers:read'],
  ['GET /api/v1/metrics/summary', 'metrics:read'],
  ['POST /api/v1/admin/projects', 'admin'],
  ['GET /api/v1/admin/projects', 'admin'],
  ['GET /api/v1/admin/projects/:id', 'admin'],
  ['PATCH /api/v1/admin/projects/:id', 'admin'],
  ['GET /api/v1/admin/projects/:id/keys', 'admin'],
  ['POST /api/v1/admin/projects/:id/keys', 'admin'],
  ['POST /api/v1/admin/projects/:id/keys/:key_id/rotate', 'admin'],
  ['DELETE /api/v1/admin/projects/:id/keys/:key_id', 'admin'],
  ['POST /api/v1/admin/grant', 'admin'],
  ['POST /api/v1/admin/revoke', 'admin'],
  ['POST /api/v1/admin/reconcile', 'admin'],
  ['GET /api/v1/admin/reconciliations', 'admin'],
  ['GET /api/v1/admin/reconciliations/:id', 'admin'],
  ['GET /api/v1/admin/connections', 'admin'],
  ['POST /api/v1/admin/connections', 'admin'],
  ['GET /api/v1/admin/connections/:id', 'admin'],
  ['PATCH /api/v1/admin/connections/:id', 'admin'],
  ['DELETE /api/v1/admin/connections/:id', 'admin'],
  ['POST /api/v1/admin/connections/:id/webhook', 'admin'],
  ['GET /api/v1/admin/audit', 'admin'],
  ['GET /api/v1/admin/audit/verify', 'admin'],
  ['GET /api/v1/admin/events', 'admin'],
  ['GET /api/v1/admin/events/:id', 'admin'],
  ['POST /api/v1/admin/events/:id/replay', 'admin'],
  ['POST /api/v1/admin/import', 'admin'],
  ['GET /api/v1/admin/imports', 'admin'],
  ['GET /api/v1/admin/imports/:id', 'admin'],
  ['GET /api/v1/admin/imports/:id/customers', 'admin'],
  ['GET /api/v1/admin/imports/:id/parked', 'admin'],
  ['GET /api/v1/admin/parked', 'admin'],
  ['GET /api/v1/admin/parked/:id', 'admin'],
  ['POST /api/v1/admin/parked/:id/attach', 'admin'],
  ['POST /api/v1/admin/parked/:id/dismiss', 'admin'],
  ['GET /api/v1/admin/metrics', 'admin'],
  ['POST /api/v1/webhooks/stripe', 'public'],
  ['POST /api/v1/webhooks/stripe/:connection', 'public'],
  ['GET /healthz', 'public'],
  ['GET /ready', 'public'],
  ['GET /metrics', 'public'],
  ['GET /openapi.json', 'public'],
];

let tollgate: Tollgate;
const keys = new Map<string, string>();

beforeAll(async () => {
  tollgate = await startTollgate();
  const { admin, project } = tollgate;
  for (const scope of SCOPES) {
    const made = await admin.post(`/admin/projects/${project.id}/keys`, { scopes: [scope] });
    keys.set(scope, made.body.key);
    const others = SCOPES.filter((other) => other !== scope);
    const without = await admin.post(`/admin/projects/${project.id}/keys`, { scopes: others });
    keys.set(`without ${scope}`, without.body.key);
  }
  const revoked = await admin.post(`/admin/projects/${project.id}/keys`, {});
  await admin.delete(`/admin/projects/${project.id}/keys/${revoked.body.id}`);
  keys.set('revoked', revoked.body.key);
});
afterAll(async () => tollgate.close());

/** The status that a credential gets, with a request that is valid as far as the guard can know. */
async function ask(endpoint: string, key: string | null): Promise<number> {
  const [method = '', pattern = ''] = endpoint.split(' ');
  const path = pattern.replace(/:\w+/g, 'nothing_1');
  const response = await fetch(tollgate.url + path, {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
    },
    ...(method === 'GET' ? {} : { body: '{}' }),
  });
  await response.arrayBuffer();
  return response.status;
}

const refused = (status: number) => status === 401 || status === 403;

describe('the access table', () => {
  it('has a row for every endpoint that the service answers, and no other', () => {
    const answered = tollgate.app.endpoints
      .map(({ method, url }) => `${method} ${url}`)
      .filter((endpoint) => !/ \/docs(\/|$)/.test(endpoint))
      .sort();
    expect(answered).toEqual(TABLE.map(([endpoint]) => endpoint).sort());
  });

  it('agrees with the paths of the OpenAPI document', async () => {
    const document = (await (await fetch(`${tollgate.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    );
    const undescribed = TABLE.map(([endpoint]) => endpoint).filter((endpoint) => !described.includes(endpoint));
    expect(undescribed).toEqual(['GET /openapi.json']);
  });

  describe.each(TABLE)('%s (%s)', (endpoint, ruled) => {
    const publishableMay = ruled.endsWith('+');
    const rule = ruled.replace('+', '') as Rule;

    it('treats every credential by its rule', async () => {
      const { secret, publishableKey, admin } = tollgate;
      if (rule === 'public') {
        expect(refused(await ask(endpoint, null))).toBe(false);
        return;
      }
      for (const bad of [null, 'tg_sk_nobody', 'tg_admin_nobody_at_all_0123456789', keys.get('revoked') as string]) {
        expect([bad, await ask(endpoint, bad)]).toEqual([bad, 401]);
      }
      expect(refused(await ask(endpoint, admin.key))).toBe(false);
      const publishable = await ask(endpoint, publishableKey);
      expect(publishableMay ? !refused(publishable) : publishable === 403).toBe(true);
      if (rule === 'admin') {
        expect(await ask(endpoint, secret.key)).toBe(403);
        return;
      }
      expect(refused(await ask(endpoint, keys.get(rule) as string))).toBe(false);
      expect(await ask(endpoint, keys.get(`without ${rule}`) as string)).toBe(403);
    });
  });
});
