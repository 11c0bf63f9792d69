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
import { addObjects, objectsIn } from './sandbox-file.ts';
import { ADMIN_KEY, call, type RunningService, startService } from './service.ts';

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
  const project = await call<{ id: string; secret_key: string }>(
    'POST',
    `${service.url}/api/v1/admin/projects`,
    ADMIN_KEY,
    {
      name: 'Benchmark',
      slug: 'benchmark',
    },
  );
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

async function importOnce({ url, residentMb }: RunningService, what: string, body: object): Promise<Import> {
  const before = await residentMb();
  const began = performance.now();
  const { id } = await call<Import>('POST', `${url}/api/v1/admin/import`, ADMIN_KEY, body);
  let run: Import;
  let peak = before;
  do {
    await sleep(250);
    peak = Math.max(peak, await residentMb());
    run = await call<Import>('GET', `${url}/api/v1/admin/imports/${id}`, ADMIN_KEY);
    const { subscriptions, customers } = run.counts;
    process.stderr.write(
      `\r  ${subscriptions.toLocaleString('en')} subscriptions, ${customers.toLocaleString('en')} customers `,
    );
  } while (run.status === 'queued' || run.status === 'running');
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(
    `\r${what}: ${run.status}${run.error === null ? '' : ` (${run.error})`}, ${run.counts.applied.toLocaleString('en')} applied, ` +
      `${run.counts.unchanged.toLocaleString('en')} unchanged, ${seconds.toFixed(1)} s ` +
      `(${Math.round(N / seconds).toLocaleString('en')} customers/s), memory ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most\n`,
  );
  return run;
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

/** The ids of the nth copy, of equal length for all. */
function nth(n: number): string {
  return String(n).padStart(9, '0');
}

/** Customer, subscription, its latest invoice and that one's payment: what an import reads of each. */
async function copyInSandbox(file: string, template: Template, count: number): Promise<void> {
  const find = await objectsIn(file);
  const subscription = find('subscription', ({ id }) => id === template.subscription);
  const invoice = find('invoice', ({ id }) => id === subscription.latest_invoice);
  const kept = {
    subscription,
    customer: find('customer', ({ id }) => id === template.customer),
    invoice,
    invoice_payment: find('invoice_payment', (object) => object.invoice === invoice.id),
  };
  const texts = Object.entries(kept).map(([kind, one]) => ({ kind, text: JSON.stringify(one) }));
  function* copies() {
    for (let n = 1; n <= count; n++) {
      for (const { kind, text } of texts) {
        const object = text
          .replaceAll(template.subscription, `sub_bench${nth(n)}`)
          .replaceAll(template.customer, `cus_bench${nth(n)}`)
          .replaceAll(invoice.id, `in_bench${nth(n)}`)
          .replaceAll('u_0', `u_${n}`)
          .replaceAll(/"(si|il|pi|inpay)_\w+"/g, `"$1_bench${nth(n)}"`);
        yield { kind, object };
      }
    }
  }
  await addObjects(file, copies());
}
