import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, Client } from '../support/client.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let prices: Record<'monthly' | 'yearly' | 'dollars' | 'once' | 'archived' | 'ofArchivedProduct' | 'foreign', string>;

const URLS = { success_url: 'https://app.example.com/done', cancel_url: 'https://app.example.com/pricing' };

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true });
  const { secret, admin } = tollgate;
  const pro = await made(secret.post('/products', { name: 'Pro' }));
  const gone = await made(secret.post('/products', { name: 'Gone' }));
  const other = await made(admin.post('/admin/projects', { name: 'Other', slug: 'other' }));
  const stranger = tollgate.as(other.secret_key);
  const theirs = await made(stranger.post('/products', { name: 'Theirs' }));
  const price = async (product: { id: string }, more: object = {}, app: Client = secret): Promise<string> => {
    const body = { product: product.id, currency: 'eur', unit_amount: 900, ...more };
    return (await made(app.post('/prices', body))).id;
  };
  const month = { recurring: { interval: 'month' } };
  prices = {
    monthly: await price(pro, { ...month, lookup_key: 'pro_monthly' }),
    yearly: await price(pro, { recurring: { interval: 'year' } }),
    dollars: await price(pro, { ...month, currency: 'usd' }),
    once: await price(pro),
    archived: await price(pro, { ...month, lookup_key: 'old' }),
    ofArchivedProduct: await price(gone, month),
    foreign: await price(theirs, { ...month, lookup_key: 'theirs' }, stranger),
  };
  await secret.patch(`/prices/${prices.archived}`, { active: false });
  await secret.patch(`/products/${gone.id}`, { active: false });
});

afterAll(() => tollgate.close());

async function made(answer: Promise<Answer>) {
  const { status, body } = await answer;
  if (status !== 201) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body;
}

const create = (more: object, client: Client = tollgate.secret) =>
  client.post('/checkout/sessions', { customer_id: 'u_1', ...URLS, ...more });

/** Status, code, and the fields that are named. */
async function refusal(more: object) {
  const { status, body } = await create(more);
  return [status, body.code, (body.errors ?? []).map(({ path }: { path: string }) => path)];
}

describe('a checkout session is refused', () => {
  it.each([
    ['nothing to buy', () => ({}), ['price']],
    ['two ways to say what to buy', () => ({ price: prices.monthly, lookup_key: 'pro_monthly' }), ['price']],
    ['lines beside a price', () => ({ price: prices.monthly, line_items: [{ price: prices.monthly }] }), ['price']],
    ['no lines', () => ({ line_items: [] }), ['line_items']],
    ['a quantity beside lines', () => ({ line_items: [{ price: prices.monthly }], quantity: 2 }), ['quantity']],
    [
      'the same price twice',
      () => ({ line_items: [{ price: prices.monthly }, { price: prices.monthly }] }),
      ['line_items.1.price'],
    ],
    [
      'several billing intervals',
      () => ({ line_items: [{ price: prices.monthly }, { price: prices.yearly }] }),
      ['line_items.1.price'],
    ],
    [
      'several currencies',
      () => ({ line_items: [{ price: prices.monthly }, { price: prices.dollars }] }),
      ['line_items.1.price'],
    ],
    ['a quantity of nothing', () => ({ price: prices.monthly, quantity: 0 }), ['quantity']],
    ['a fraction', () => ({ price: prices.monthly, quantity: 1.5 }), ['quantity']],
    ['a trial of something for once', () => ({ price: prices.once, trial_period_days: 7 }), ['trial_period_days']],
    ['a trial of no days', () => ({ price: prices.monthly, trial_period_days: 0 }), ['trial_period_days']],
    [
      'a stamp of Tollgate in the metadata',
      () => ({ price: prices.monthly, metadata: { tollgate_customer: 'cust_other' } }),
      ['metadata.tollgate_customer'],
    ],
    ['metadata that is no text', () => ({ price: prices.monthly, metadata: { cart: 7 } }), ['metadata.cart']],
    ['an email that is none', () => ({ price: prices.monthly, email: 'ada' }), ['email']],
    ['a field that nobody knows', () => ({ price: prices.monthly, customer_email: 'a@b.example' }), ['customer_email']],
  ])('with %s', async (_name, body, paths) => {
    expect(await refusal(body())).toEqual([400, 'invalid_request', paths]);
  });

  it.each([
    ['price', () => ({ price: prices.foreign })],
    ['lookup key', () => ({ lookup_key: 'theirs' })],
    ['price in a line', () => ({ line_items: [{ price: prices.monthly }, { price: prices.foreign }] })],
  ])('with the %s of another project, in the words for one that does not exist', async (_name, body) => {
    const foreign = await create(body());
    const unknown = await create({ price: 'price_unknown' });
    expect(foreign.status).toBe(404);
    expect({ ...foreign.body, request_id: '' }).toEqual({ ...unknown.body, request_id: '' });
  });

  it.each([
    ['an archived price', () => ({ price: prices.archived }), 'price'],
    ['the lookup key of an archived price', () => ({ lookup_key: 'old' }), 'lookup_key'],
    ['a price of an archived product', () => ({ price: prices.ofArchivedProduct }), 'price'],
  ])('with %s', async (_name, body, path) => {
    expect(await refusal(body())).toEqual([400, 'price_inactive', [path]]);
  });

  it('with a price that Stripe deleted', async () => {
    const { db } = tollgate.database;
    await db.updateTable('tollgate.prices').set({ deleted: true }).where('id', '=', prices.dollars).execute();
    expect(await refusal({ price: prices.dollars })).toEqual([404, 'not_found', []]);
    await db.updateTable('tollgate.prices').set({ deleted: false }).where('id', '=', prices.dollars).execute();
  });

  it('with a redirect to anything but https', async () => {
    const price = prices.monthly;
    for (const url of ['javascript:alert(1)', 'http://app.example.com/', 'https://a:b@app.example.com/', '/done']) {
      expect(await refusal({ price, success_url: url })).toEqual([400, 'redirect_not_allowed', ['success_url']]);
      expect(await refusal({ price, cancel_url: url })).toEqual([400, 'redirect_not_allowed', ['cancel_url']]);
    }
  });

  it('with a redirect to an origin that is not among those of the project', async () => {
    const { admin, project } = tollgate;
    const set = (redirect_origins: string[]) =>
      admin.patch(`/admin/projects/${project.id}`, { access_policy: { redirect_origins } });
    await set(['https://shop.example.com']);
    const price = prices.monthly;
    expect(await refusal({ price })).toEqual([400, 'redirect_not_allowed', ['success_url']]);
    const success_url = 'https://shop.example.com/done';
    expect(await refusal({ price, success_url })).toEqual([400, 'redirect_not_allowed', ['cancel_url']]);
    await set([]);
  });

  it('to a key that may not sell', async () => {
    const { admin, project, publishableKey } = tollgate;
    const publishable = await create({ price: prices.monthly }, tollgate.as(publishableKey));
    expect([publishable.status, publishable.body.code]).toEqual([403, 'forbidden']);
    const reader = await made(admin.post(`/admin/projects/${project.id}/keys`, { scopes: ['entitlements:read'] }));
    const refused = await create({ price: prices.monthly }, tollgate.as(reader.key));
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
    const shown = await tollgate.as(reader.key).get('/checkout/sessions/cs_1');
    expect(shown.status).toBe(403);
  });
});

it('creates nothing in Stripe for what it refuses', async () => {
  await refusal({ price: prices.archived });
  await refusal({ price: prices.monthly, success_url: 'javascript:1' });
  expect((await tollgate.stripe.customers.list()).data).toEqual([]);
});
