/**
 * A whole reconciliation of N subscriptions (100,000) with a paid invoice each that do not differ, against a sandbox
 * without limits in a process of its own. One subscription comes about as any does, by a checkout and its webhooks; the
 * others are copies of it, in the sandbox's file and in the tables, as the mirror would have written them. The run then has
 * to find no drift.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { follow } from './follow.ts';
import { addCopies, nth, objectsIn } from './sandbox-file.ts';
import { ADMIN_KEY, call, openProject, type RunningService, startService } from './service.ts';

const N = Number(process.env.N ?? 100_000);
const ROUNDS = Number(process.env.ROUNDS ?? 2);

interface Run {
  status: string;
  drifts: unknown[];
  counts: { in_sync: number; drifts: number };
  progress: { percent: number };
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
  const template = await buyOnce(service);
  process.stdout.write(`copying it ${N.toLocaleString('en')} times…\n`);
  await service.restartSandbox(() => copyInSandbox(sandboxFile, template, N - 1));
  await copyInDatabase(service, template, N - 1);
  // The first run sees everything for the first time, as after an import; the others are any night's.
  for (let round = 1; round <= ROUNDS; round++) failed ||= !(await reconcileOnce(service, round));
} finally {
  await service.stop();
  await rm(directory, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

async function reconcileOnce(on: RunningService, round: number): Promise<boolean> {
  const start = async () => {
    const { id } = await call<{ id: string }>('POST', `${on.url}/api/v1/admin/reconcile`, ADMIN_KEY, {});
    return `/api/v1/admin/reconciliations/${id}`;
  };
  const { ended, seconds, memory } = await follow<Run>(on, start, ({ progress }) => `${progress.percent} %`);
  const { in_sync: inSync, drifts } = ended.counts;
  process.stdout.write(
    `\rrun ${round}: ${ended.status}, ${inSync.toLocaleString('en')} objects in sync, ${drifts} drifts, ` +
      `${seconds.toFixed(1)} s (${Math.round(N / seconds).toLocaleString('en')} subscriptions/s), ${memory}\n`,
  );
  // Subscriptions, customers and invoices, made within the last day; and the template's product and price.
  return ended.status === 'completed' && drifts === 0 && inSync === 3 * N + 2;
}

interface Template {
  projectId: string;
  customerId: string;
  stripeCustomerId: string;
  subscriptionId: string;
}

/** A customer buys a subscription, and Tollgate hears of it. */
async function buyOnce({ url }: RunningService): Promise<Template> {
  const api = `${url}/api/v1`;
  const project = await openProject(url);
  const key = project.secret_key;
  await call('POST', `${api}/features`, key, { code: 'pro', name: 'Pro', type: 'boolean' });
  const product = await call<{ id: string }>('POST', `${api}/products`, key, {
    name: 'Pro',
    features: [{ code: 'pro' }],
  });
  const terms = { currency: 'usd', unit_amount: 1900, recurring: { interval: 'month' } };
  const price = await call<{ id: string }>('POST', `${api}/prices`, key, { product: product.id, ...terms });
  const session = await call<{ url: string }>('POST', `${api}/checkout/sessions`, key, {
    customer_id: 'u_0',
    price: price.id,
    success_url: 'http://localhost/done',
    cancel_url: 'http://localhost/',
  });
  const form = new URLSearchParams({ card_number: '4242424242424242' });
  await fetch(`${session.url}/pay`, { method: 'POST', body: form, redirect: 'manual' });
  for (;;) {
    const check = await call<{ entitled: boolean }>('GET', `${api}/check?customer_id=u_0&feature=pro`, key);
    if (check.entitled) break;
    await sleep(50);
  }
  // Whatever else its webhooks bring.
  await sleep(2_000);
  const customer = await call<{ stripe_customer_id: string; subscriptions: { id: string }[] }>(
    'GET',
    `${api}/customers/u_0`,
    key,
  );
  const [subscription] = customer.subscriptions;
  if (subscription === undefined) throw new Error('Nothing was bought.');
  const client = new pg.Client(await service.database());
  await client.connect();
  const { rows } = await client.query("select id from tollgate.customers where external_id = 'u_0'");
  await client.end();
  return {
    projectId: project.id,
    customerId: rows[0].id,
    stripeCustomerId: customer.stripe_customer_id,
    subscriptionId: subscription.id,
  };
}

async function copyInSandbox(file: string, template: Template, count: number): Promise<void> {
  const find = await objectsIn(file);
  const invoice = find('invoice', ({ customer }) => customer === template.stripeCustomerId);
  const payment = find('invoice_payment', ({ invoice: of }) => of === invoice.id);
  const intent = (payment.payment as { payment_intent: string }).payment_intent;
  const originals = {
    subscription: find('subscription', ({ id }) => id === template.subscriptionId),
    customer: find('customer', ({ id }) => id === template.stripeCustomerId),
    invoice,
    invoice_payment: payment,
  };
  await addCopies(file, originals, count, (json, n) =>
    json
      .replaceAll(template.subscriptionId, `sub_bench${nth(n)}`)
      .replaceAll(template.stripeCustomerId, `cus_bench${nth(n)}`)
      .replaceAll(template.customerId, `cust_bench${nth(n)}`)
      .replaceAll(invoice.id, `in_bench${nth(n)}`)
      .replaceAll(payment.id, `inpay_bench${nth(n)}`)
      .replaceAll(intent, `pi_bench${nth(n)}`)
      .replaceAll(/"si_\w+"/g, `"si_bench${nth(n)}"`),
  );
}

async function copyInDatabase(on: RunningService, template: Template, count: number): Promise<void> {
  const client = new pg.Client(await on.database());
  await client.connect();
  const { projectId, customerId, subscriptionId } = template;
  const series = "generate_series(1, $1) n, lateral (select lpad(n::text, 9, '0') as at) as nth";
  const body = `regexp_replace(replace(t.body::text, $3, 'sub_bench' || at), '"si_\\w+"', '"si_bench' || at || '"', 'g')::jsonb`;
  try {
    await client.query(
      `insert into tollgate.customers (id, project_id, external_id, connection_id, stripe_customer_id, email, name)
       select 'cust_bench' || at, project_id, 'u_' || n, connection_id, 'cus_bench' || at, email, name
         from tollgate.customers t, ${series} where t.id = $2`,
      [count, customerId],
    );
    for (const [table, extra] of [
      ['facts', ''],
      ['fact_versions', ', cause'],
    ]) {
      await client.query(
        `insert into tollgate.${table} (project_id, customer_id, kind, object_id, sequence, body, recorded_at${extra})
         select project_id, 'cust_bench' || at, kind, 'sub_bench' || at, sequence, ${body}, recorded_at${extra}
           from tollgate.${table} t, ${series} where t.customer_id = $2 and t.object_id = $3`,
        [count, customerId, subscriptionId],
      );
    }
    await client.query(
      `insert into tollgate.payments (connection_id, id, project_id, customer_id, invoice_id, subscription_id, status,
                                      currency, amount, paid_at, period_start, period_end, lines)
       select connection_id, 'pi_bench' || at, project_id, 'cust_bench' || at, 'in_bench' || at, 'sub_bench' || at, status,
              currency, amount, paid_at, period_start, period_end, lines
         from tollgate.payments t, ${series} where t.customer_id = $2 and t.subscription_id = $3`,
      [count, customerId, subscriptionId],
    );
    const snapshotBody = `replace(t.body::text, $3, 'sub_bench' || at)::jsonb`;
    await client.query(
      `insert into tollgate.snapshots (project_id, external_id, customer_id, version, body, recorded_at)
       select project_id, 'u_' || n, 'cust_bench' || at, version, ${snapshotBody}, recorded_at
         from tollgate.snapshots t, ${series} where t.customer_id = $2`,
      [count, customerId, subscriptionId],
    );
    await client.query(`select pg_stat_force_next_flush()`);
    await client.query('analyze');
  } finally {
    await client.end();
  }
  process.stdout.write(`${(count + 1).toLocaleString('en')} subscriptions in project ${projectId}\n`);
}
