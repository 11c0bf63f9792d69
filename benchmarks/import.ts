/**
 * An import of N customers (100,000) with a subscription and its payment each, from a sandbox without limits in a process of its own. One
 * subscription comes about as any does; the others are copies of it in the sandbox's file. First a dry run, then the
 * import, then the import once more, which has to change nothing.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Stripe from 'stripe';
import { follow } from './follow.ts';
import { addCopies, nth, objectsIn } from './sandbox-file.ts';
import { ADMIN_KEY, call, openProject, type RunningService, startService } from './service.ts';

const N = Number(process.env.N ?? 100_000);

interface Import {
  id: string;
  status: string;
  error: string | null;
  counts: { subscriptions: number; applied: number; unchanged: number; customers: number; linked: number };
  entitled: { feature: string; customers: number }[];
}

interface Template {
  product: string;
  customer: string;
  subscription: string;
}

const directory = await mkdtemp(path.join(tmpdir(), 'tollgate-bench-'));
const sandboxFile = path.join(directory, 'stripe.json');
const service = await startService({
  sandboxApart: true,
  sandboxFile,
  settings: { RECONCILE_CALLS_PER_SECOND: '0' },
});
let failed = false;
try {
  const project = await openProject(service.url);
  const feature = { code: 'pro', name: 'Pro', type: 'boolean' };
  await call('POST', `${service.url}/api/v1/features`, project.secret_key, feature);
  const template = await subscribeOnce(service);
  // Its events have arrived by then: what they told of is nobody's until it is imported.
  await sleep(2_000);
  process.stdout.write(`copying it ${N.toLocaleString('en')} times…\n`);
  await service.restartSandbox(() => copyInSandbox(sandboxFile, template, N - 1));
  const body = {
    project_id: project.id,
    customer_id_from: 'metadata.user_id',
    products: [{ product: template.product, features: [{ code: 'pro' }] }],
    reason: 'A benchmark',
  };
  const dry = await importOnce(service, 'dry run', { ...body, dry_run: true });
  const real = await importOnce(service, 'import', body);
  const again = await importOnce(service, 'import, once more', body);
  const gained = ({ entitled }: Import) => entitled[0]?.customers ?? 0;
  failed =
    gained(dry) !== N ||
    gained(real) !== N ||
    real.counts.applied !== N ||
    real.counts.linked !== N ||
    again.counts.unchanged !== N ||
    gained(again) !== 0;
} finally {
  await service.stop();
  await rm(directory, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

async function importOnce(on: RunningService, what: string, body: object): Promise<Import> {
  const start = async () => {
    const { id } = await call<Import>('POST', `${on.url}/api/v1/admin/import`, ADMIN_KEY, body);
    return `/api/v1/admin/imports/${id}`;
  };
  const { ended, seconds, memory } = await follow<Import>(on, start, ({ counts: { subscriptions, customers } }) => {
    return `${subscriptions.toLocaleString('en')} subscriptions, ${customers.toLocaleString('en')} customers`;
  });
  process.stdout.write(
    `\r${what}: ${ended.status}${ended.error === null ? '' : ` (${ended.error})`}, ${ended.counts.applied.toLocaleString('en')} applied, ` +
      `${ended.counts.unchanged.toLocaleString('en')} unchanged, ${seconds.toFixed(1)} s ` +
      `(${Math.round(N / seconds).toLocaleString('en')} customers/s), ${memory}\n`,
  );
  return ended;
}

async function subscribeOnce({ sandboxUrl }: RunningService): Promise<Template> {
  const { hostname, port } = new URL(sandboxUrl);
  const stripe = new Stripe('sk_test_benchmark0123', { protocol: 'http', host: hostname, port: Number(port) });
  const product = await stripe.products.create({ name: 'Pro' });
  const recurring = { interval: 'month' } as const;
  const price = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 1900, recurring });
  const customer = await stripe.customers.create({ email: 'u_0@example.com', metadata: { user_id: 'u_0' } });
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  const items = [{ price: price.id }];
  const { id } = await stripe.subscriptions.create({ customer: customer.id, items, default_payment_method: card.id });
  return { product: product.id, customer: customer.id, subscription: id };
}

/** Customer, subscription, its latest invoice and that one's payment: what an import reads of each. */
async function copyInSandbox(file: string, template: Template, count: number): Promise<void> {
  const find = await objectsIn(file);
  const subscription = find('subscription', ({ id }) => id === template.subscription);
  const invoice = find('invoice', ({ id }) => id === subscription.latest_invoice);
  const originals = {
    subscription,
    customer: find('customer', ({ id }) => id === template.customer),
    invoice,
    invoice_payment: find('invoice_payment', (object) => object.invoice === invoice.id),
  };
  await addCopies(file, originals, count, (json, n) =>
    json
      .replaceAll(template.subscription, `sub_bench${nth(n)}`)
      .replaceAll(template.customer, `cus_bench${nth(n)}`)
      .replaceAll(invoice.id, `in_bench${nth(n)}`)
      .replaceAll('u_0', `u_${n}`)
      .replaceAll(/"(si|il|pi|inpay)_\w+"/g, `"$1_bench${nth(n)}"`),
  );
}
