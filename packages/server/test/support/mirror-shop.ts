/** The mirror on a sandbox, with a project that sells a feature monthly and for ever. */
import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import type { Stripe } from '../../src/stripe/types.ts';
import { INSTALLATION, type Mirror, startMirror } from './mirror-world.ts';

/** A checkout session of a customer of its own. */
export interface OpenSession {
  id: string;
  externalId: string;
  /** Tollgate's own `cust_…`. */
  customerId: string;
  stripeCustomerId: string;
}

export interface MirrorShop {
  sandbox: Sandbox;
  mirror: Mirror;
  stripe: Stripe;
  project: string;
  /** Prices of one product that unlocks `pro`. */
  monthly: string;
  lifetime: string;
  /** A checkout session of a new customer, as Tollgate makes them. */
  open(
    mode: 'payment' | 'subscription',
    prices: string[],
    extra?: Stripe.Checkout.SessionCreateParams,
  ): Promise<OpenSession>;
  /** Pays it with a good card. */
  pay(id: string): Promise<{ subscription: string; intent: string }>;
  /** Whether a customer is entitled to `pro` at the sandbox's time, and why or why not. */
  access(externalId: string): Promise<{ entitled: boolean; reason: string }>;
  /** The mirror's clock follows the sandbox's. */
  followTime(): void;
  close(): Promise<void>;
}

export async function startMirrorShop(): Promise<MirrorShop> {
  const sandbox = await startSandbox({ seed: 7 });
  const mirror = await startMirror(sandbox.url);
  const stripe = mirror.deps.connections.get('default').client;
  const project = await mirror.addProject('a');
  const stamps = { tollgate_installation: INSTALLATION, tollgate_project: project };
  const product = await stripe.products.create({ name: 'Pro', metadata: stamps });
  const sold = { product: product.id, currency: 'eur' };
  const monthly = await stripe.prices.create({ ...sold, unit_amount: 900, recurring: { interval: 'month' } });
  const lifetime = await stripe.prices.create({ ...sold, unit_amount: 5000 });
  for (const { id } of [monthly, lifetime]) {
    const { status } = await mirror.sync('price', id);
    if (status !== 'applied') throw new Error(`The price ${id} is ${status}.`);
  }
  await mirror.database.db
    .insertInto('tollgate.mappings')
    .values({
      project_id: project,
      owner_type: 'product',
      owner_id: product.id,
      code: 'pro',
      value: null,
      access_days: null,
    })
    .execute();
  let count = 0;
  const followTime = () => mirror.setNow(sandbox.control.state().now * 1000);
  return {
    sandbox,
    mirror,
    stripe,
    project,
    monthly: monthly.id,
    lifetime: lifetime.id,
    open: async (mode, prices, extra = {}) => {
      count += 1;
      const externalId = `user_${count}`;
      const customerId = await mirror.addCustomer(project, externalId);
      const metadata = { ...stamps, tollgate_customer: customerId };
      const customer = await stripe.customers.create({ metadata });
      const session = await stripe.checkout.sessions.create({
        mode,
        customer: customer.id,
        line_items: prices.map((price) => ({ price, quantity: 1 })),
        success_url: 'https://app.example/done',
        metadata,
        ...(mode === 'payment' ? { payment_intent_data: { metadata } } : { subscription_data: { metadata } }),
        ...extra,
      });
      return { id: session.id, externalId, customerId, stripeCustomerId: customer.id };
    },
    pay: async (id) => {
      sandbox.control.payCheckout(id);
      const session = await stripe.checkout.sessions.retrieve(id);
      return { subscription: session.subscription as string, intent: session.payment_intent as string };
    },
    access: (externalId) => {
      followTime();
      return mirror.access(project, externalId);
    },
    followTime,
    close: async () => {
      await mirror.close();
      await sandbox.close();
    },
  };
}
