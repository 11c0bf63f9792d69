import type { App } from '../platform/http/app.ts';
import { createDemoApi, type DemoApi, DemoProblem } from './api.ts';
import { DEMO_CURRENCY, DEMO_FEATURES, DEMO_PRODUCTS } from './catalog.ts';
import { type DemoKeys, readDemoKeys, saveDemoKeys } from './keys-file.ts';
import { createDemoSandbox, type DemoSandbox } from './sandbox.ts';

export interface DemoDeps {
  /** Serves the API, with the routes of every room. */
  app: App;
  /** The operator's key. */
  adminKey: string;
  /** Exists and is private: where the demo project's key is kept between starts. */
  dataDir: string;
  /** Where the embedded sandbox's pages are, without a slash at the end. */
  sandboxUrl: string;
}

/** The demo project, ready to be shown. */
export interface Demo {
  api: DemoApi;
  projectId: string;
  secretKey: string;
  adminKey: string;
  sandboxUrl: string;
  sandbox: DemoSandbox;
  /** What products and prices are called, by Stripe's ids. */
  names: ReadonlyMap<string, string>;
}

const SLUG = 'demo';

interface Listed {
  data: { id: string; slug?: string; code?: string; name?: string }[];
  has_more: boolean;
  next_cursor: string | null;
}

/**
 * Creates the demo project with its keys, features, products and prices, or what is missing of them: a start that was
 * cut short is completed by the next, and one that has nothing to do changes nothing.
 * @throws DemoProblem when the API refuses, such as `stripe_unavailable`
 */
export async function setUpDemo(deps: DemoDeps): Promise<Demo> {
  const api = createDemoApi(deps.app);
  const { project_id: projectId, secret_key: secretKey } = await keysOf(api, deps);
  await addFeatures(api, secretKey);
  const names = await addProducts(api, secretKey);
  const { adminKey, sandboxUrl } = deps;
  return { api, projectId, secretKey, adminKey, sandboxUrl, sandbox: createDemoSandbox(sandboxUrl), names };
}

async function keysOf(api: DemoApi, { adminKey, dataDir }: DemoDeps): Promise<DemoKeys> {
  const saved = await readDemoKeys(dataDir);
  if (saved !== null && (await works(api, saved.secret_key))) return saved;
  const keys = await newKeys(api, adminKey);
  await saveDemoKeys(dataDir, keys);
  return keys;
}

async function works(api: DemoApi, key: string): Promise<boolean> {
  try {
    await api.call('GET', '/features?limit=1', key);
    return true;
  } catch (error) {
    if (error instanceof DemoProblem && (error.status === 401 || error.status === 403)) return false;
    throw error;
  }
}

async function newKeys(api: DemoApi, adminKey: string): Promise<DemoKeys> {
  try {
    const made = await api.call<{ id: string; secret_key: string }>('POST', '/admin/projects', adminKey, {
      name: 'Demo',
      slug: SLUG,
      actor: 'demo',
    });
    return { project_id: made.id, secret_key: made.secret_key };
  } catch (error) {
    if (!(error instanceof DemoProblem && error.code === 'slug_taken')) throw error;
  }
  // It is there, and its key was lost or revoked.
  const projects = await everything(api, '/admin/projects', adminKey);
  const project = projects.find(({ slug }) => slug === SLUG);
  if (project === undefined) throw new Error('There is a project with the slug "demo", and it cannot be found.');
  const made = await api.call<{ key: string }>('POST', `/admin/projects/${project.id}/keys`, adminKey, {
    name: 'Demo page',
    actor: 'demo',
  });
  return { project_id: project.id, secret_key: made.key };
}

async function addFeatures(api: DemoApi, key: string): Promise<void> {
  const known = new Set((await everything(api, '/features', key)).map(({ code }) => code));
  for (const feature of DEMO_FEATURES) {
    if (!known.has(feature.code)) await api.call('POST', '/features', key, feature);
  }
}

async function addProducts(api: DemoApi, key: string): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  const known = await everything(api, '/products', key);
  for (const { name, description, features, prices } of DEMO_PRODUCTS) {
    const product =
      known.find((candidate) => candidate.name === name) ??
      (await api.call<{ id: string }>('POST', '/products', key, { name, description, features }));
    names.set(product.id, name);
    for (const { quantity: _, ...price } of prices) {
      const found = await api.call<Listed>('GET', `/prices?lookup_key=${price.lookup_key}`, key);
      const { id } =
        found.data[0] ??
        (await api.call<{ id: string }>('POST', '/prices', key, {
          product: product.id,
          currency: DEMO_CURRENCY,
          ...price,
        }));
      names.set(id, `${name} (${price.nickname})`);
    }
  }
  return names;
}

async function everything(api: DemoApi, path: string, key: string): Promise<Listed['data']> {
  const all: Listed['data'] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const found: Listed = await api.call<Listed>('GET', `${path}?limit=100${query}`, key);
    all.push(...found.data);
    cursor = found.next_cursor;
  } while (cursor !== null);
  return all;
}
