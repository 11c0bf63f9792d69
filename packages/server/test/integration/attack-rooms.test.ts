/** Attaching, moving, importing, refunding, reconciling, replaying and granting, all at once and about the same customers. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../support/client.ts';
import { quiet } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let server: Server;
let endpointId: string;
let monthly: string;
/** What was told last of each customer. */
const told = new Map<string, { sequence: number; snapshot: { entitlements: object } }>();
const outOfOrder: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { data } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      const before = told.get(data.customer_id)?.sequence ?? 0;
      if (data.sequence > before + 1) outOfOrder.push(`${data.customer_id}: ${data.sequence} after ${before}`);
      if (data.sequence > before) told.set(data.customer_id, data);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const quick = { callsPerSecond: null, pageSize: 4 };
  tollgate = await startTollgate({ import: quick, reconcile: { callsPerSecond: null } });
  const { secret } = tollgate;
  await secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body } = await secret.post('/products', { name: 'Pro', features: [{ code: 'pro' }] });
  const price = { product: body.id, currency: 'eur', unit_amount: 900, recurring: { interval: 'month' } };
  monthly = (await secret.post('/prices', price)).body.id;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  endpointId = (await secret.post('/webhook-endpoints', { url })).body.id;
});
afterAll(async () => {
  await tollgate.close();
  server.closeAllConnections();
  server.close();
});

async function subscribedByHand() {
  const { stripe } = tollgate;
  const { id: customer } = await stripe.customers.create();
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer });
  const items = [{ price: monthly }];
  const subscription = await stripe.subscriptions.create({ customer, items, default_payment_method: card.id });
  const { data } = await stripe.invoicePayments.list({ invoice: String(subscription.latest_invoice) });
  return { subscription: subscription.id, payment: String(data[0]?.payment.payment_intent) };
}

describe('everything at once', () => {
  it('ends without a failure, a deadlock or a broken order, and with the access that was paid for', async () => {
    const { admin, secret, sandbox, project } = tollgate;
    await admin.patch(`/admin/projects/${project.id}`, { access_policy: { subscription_refund: 'revoke_period' } });
    const subscriptions = await Promise.all(Array.from({ length: 6 }, subscribedByHand));
    await quiet(tollgate);
    const { body } = await admin.get('/admin/parked?object_type=subscription&limit=100');
    const parked = new Map<string, string>(
      body.data.map((one: { object_id: string; id: string }) => [one.object_id, one.id]),
    );
    expect(parked.size).toBe(6);

    const about = { project_id: project.id, reason: 'A race' };
    const answers: Answer[] = [];
    const ask = async (asked: Promise<Answer>) => void answers.push(await asked);
    const acts: (() => Promise<void>)[] = subscriptions.flatMap(({ subscription, payment }, index) => {
      const path = `/admin/parked/${parked.get(subscription)}`;
      const [one, other] = [`u_${index % 3}`, `u_${(index + 1) % 3}`];
      const attach = (customerId: string) => () =>
        ask(admin.post(`${path}/attach`, { ...about, customer_id: customerId, move: true }));
      return [
        attach(one),
        attach(other),
        attach(one),
        async () => void sandbox.control.refund(payment),
        () => ask(admin.post(`${path}/dismiss`, { reason: 'Not ours' })),
        () => ask(admin.post('/admin/grant', { ...about, customer_id: one, feature: 'pro' })),
        () => ask(admin.post('/admin/revoke', { ...about, customer_id: other, feature: 'pro' })),
        () => ask(secret.post(`/webhook-endpoints/${endpointId}/replay`, { since: new Date(0).toISOString() })),
        () => ask(secret.patch(`/webhook-endpoints/${endpointId}`, { description: `No. ${index}` })),
      ];
    });
    acts.push(
      () => ask(admin.post('/admin/import', { ...about, customer_id_from: 'stripe_customer_id' })),
      () => ask(admin.post('/admin/reconcile', { project_id: project.id })),
      () => ask(admin.patch(`/admin/projects/${project.id}`, { access_policy: { past_due_grace_days: 3 } })),
      () => ask(secret.put(`/prices/${monthly}/features`, { features: [{ code: 'pro' }] })),
    );
    await Promise.all(acts.map((act) => act()));
    await quiet(tollgate);
    expect(answers.filter(({ status }) => status >= 500).map(({ body }) => body)).toEqual([]);

    // Whoever it went to: the money went back, and with it the access.
    for (const customerId of ['u_0', 'u_1', 'u_2']) {
      await admin.post('/admin/revoke', { ...about, customer_id: customerId, feature: 'pro' });
      const { body } = await secret.get(`/check?customer_id=${customerId}&feature=pro`);
      expect([customerId, body.entitled, body.reason]).toEqual([customerId, false, expect.any(String)]);
    }
    await quiet(tollgate);
    await tollgate.until(
      async () => {
        const { body } = await secret.get(`/webhook-endpoints/${endpointId}/deliveries?status=pending`);
        return body.data.length === 0;
      },
      10_000,
      'everything is delivered',
    );
    for (const [customerId, { snapshot }] of told) {
      const { body } = await secret.get(`/entitlements?customer_id=${customerId}`);
      expect([customerId, snapshot.entitlements]).toEqual([customerId, body.entitlements]);
    }
    expect(outOfOrder).toEqual([]);
    const { rows } = await tollgate.database.pool.query(
      'select deadlocks::int from pg_stat_database where datname = current_database()',
    );
    expect(rows[0].deadlocks).toBe(0);
    expect((await admin.get('/admin/audit/verify')).body).toMatchObject({ intact: true });
    expect((await admin.get('/admin/events?status=dead')).body.data).toEqual([]);
  });
});
