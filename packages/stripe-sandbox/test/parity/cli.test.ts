import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/index.ts';
import { clientOf } from '../support/sandbox.ts';

/** What the official command line can trigger about selling and billing. */
const TRIGGERS = [
  'billing_portal.configuration.created',
  'billing_portal.configuration.updated',
  'billing_portal.session.created',
  'charge.captured',
  'charge.dispute.closed',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.failed',
  'charge.refund.updated',
  'charge.refunded',
  'charge.succeeded',
  'checkout.session.async_payment_failed',
  'checkout.session.async_payment_succeeded',
  'checkout.session.completed',
  'checkout.session.expired',
  'coupon.created',
  'coupon.deleted',
  'coupon.updated',
  'customer.created',
  'customer.deleted',
  'customer.discount.created',
  'customer.discount.deleted',
  'customer.discount.updated',
  'customer.source.created',
  'customer.source.updated',
  'customer.subscription.created',
  'customer.subscription.deleted',
  'customer.subscription.paused',
  'customer.subscription.trial_will_end',
  'customer.subscription.updated',
  'customer.updated',
  'invoice.created',
  'invoice.deleted',
  'invoice.finalized',
  'invoice.marked_uncollectible',
  'invoice.paid',
  'invoice.payment_action_required',
  'invoice.payment_failed',
  'invoice.payment_succeeded',
  'invoice.sent',
  'invoice.updated',
  'invoice.voided',
  'invoiceitem.created',
  'invoiceitem.deleted',
  'payment_intent.amount_capturable_updated',
  'payment_intent.canceled',
  'payment_intent.created',
  'payment_intent.payment_failed',
  'payment_intent.processing',
  'payment_intent.requires_action',
  'payment_intent.succeeded',
  'payment_link.created',
  'payment_link.updated',
  'payment_method.attached',
  'payment_method.detached',
  'payment_method.updated',
  'price.created',
  'price.updated',
  'product.created',
  'product.deleted',
  'product.updated',
  'promotion_code.created',
  'promotion_code.updated',
  'setup_intent.canceled',
  'setup_intent.created',
  'setup_intent.requires_action',
  'setup_intent.setup_failed',
  'setup_intent.succeeded',
  'subscription.payment_failed',
  'subscription.payment_succeeded',
  'subscription_schedule.canceled',
  'subscription_schedule.completed',
  'subscription_schedule.created',
  'subscription_schedule.released',
  'subscription_schedule.updated',
  'test_helpers.test_clock.advancing',
  'test_helpers.test_clock.created',
  'test_helpers.test_clock.deleted',
  'test_helpers.test_clock.ready',
];

/** Triggers that are named otherwise than the event that they are about. */
const EVENT_OF: Record<string, string> = {
  'subscription.payment_failed': 'invoice.payment_failed',
  'subscription.payment_succeeded': 'invoice.payment_succeeded',
};

/** Debits from a bank account end days later. */
const LATER = new Set(['checkout.session.async_payment_failed', 'checkout.session.async_payment_succeeded']);
const SETTLED_DAYS = 4;

const CLI = join(import.meta.dirname, '../../../../node_modules/.bin/stripe');

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'sandbox-cli-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

function trigger(sandbox: Sandbox, event: string): Promise<string> {
  const args = ['trigger', event, '--api-base', sandbox.url, '--api-key', 'sk_test_123456789012'];
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home };
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { env }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

test.concurrent.for(TRIGGERS)('stripe trigger %s', async (name, { expect }) => {
  const sandbox = await startSandbox({ seed: 7 });
  try {
    expect(await trigger(sandbox, name)).toContain('Trigger succeeded!');
    if (LATER.has(name)) sandbox.control.advance({ days: SETTLED_DAYS });
    const events = await clientOf(sandbox).events.list({ type: EVENT_OF[name] ?? name, limit: 1 });
    expect(events.data).toHaveLength(1);
  } finally {
    await sandbox.close();
  }
});
