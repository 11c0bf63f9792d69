import { expect } from 'vitest';
import type { Scene } from '../scene.ts';
import type { Story } from '../story.ts';
import { card, change, declineNext, payLatest } from './acts.ts';

async function balanceIs({ stripe, customer }: Scene, balance: number): Promise<void> {
  const found = await stripe.customers.retrieve(customer);
  expect(found.deleted === true ? null : found.balance).toBe(balance);
}

const JUNE = { from: '2026-06-01', to: ['30/month'] };
const WHOLE = 'active 2026-06-01 → 2026-07-01';

/** Switches of plan and quantity in the middle of a month of thirty days. */
export const CHANGES: Story[] = [
  {
    title: 'an upgrade waits for the renewal by default',
    ...JUNE,
    steps: [
      { bills: ['create: +30 = 30 paid'], is: WHOLE },
      {
        at: '2026-06-16',
        does: change({ price: '60/month' }),
        bills: [],
        is: WHOLE,
        events: ['customer.subscription.updated (items)'],
      },
      { at: '2026-07-01', bills: ['cycle: -15 +30 +60 = 75 paid'], is: 'active 2026-07-01 → 2026-08-01' },
      { at: '2026-08-01', bills: ['cycle: +60 = 60 paid'] },
    ],
  },
  {
    title: 'an upgrade with always_invoice is paid at once',
    ...JUNE,
    steps: [
      {
        at: '2026-06-16',
        does: change({ price: '60/month' }, { proration_behavior: 'always_invoice' }),
        bills: ['create: +30 = 30 paid', 'update: -15 +30 = 15 paid'],
        is: WHOLE,
      },
      { at: '2026-07-01', bills: ['cycle: +60 = 60 paid'] },
    ],
  },
  {
    title: 'an upgrade without proration costs nothing until the renewal',
    ...JUNE,
    steps: [
      {
        at: '2026-06-16',
        does: change({ price: '60/month' }, { proration_behavior: 'none' }),
        bills: ['create: +30 = 30 paid'],
      },
      { at: '2026-07-01', bills: ['cycle: +60 = 60 paid'] },
    ],
  },
  {
    title: 'a downgrade that is invoiced becomes credit, which the next invoice uses',
    from: '2026-06-01',
    to: ['60/month'],
    steps: [
      {
        at: '2026-06-16',
        does: change({ price: '20/month' }, { proration_behavior: 'always_invoice' }),
        bills: ['create: +60 = 60 paid', 'update: -30 +10 = -20, due 0 paid'],
        and: (scene) => balanceIs(scene, -2000),
      },
      { at: '2026-07-01', bills: ['cycle: +20 = 20, due 0 paid'], and: (scene) => balanceIs(scene, 0) },
      { at: '2026-08-01', bills: ['cycle: +20 = 20 paid'] },
    ],
  },
  {
    title: 'more seats are charged for the rest of the period, as of the proration date',
    from: '2026-06-01',
    to: ['10/month'],
    steps: [
      {
        at: '2026-06-20',
        does: change(
          { quantity: 3 },
          { proration_date: Date.UTC(2026, 5, 16, 10) / 1000, proration_behavior: 'always_invoice' },
        ),
        bills: ['create: +10 = 10 paid', 'update: -5 +15 = 10 paid'],
      },
      { at: '2026-07-01', bills: ['cycle: +30 = 30 paid'] },
    ],
  },
  {
    title: 'a proration date outside of the period is refused',
    ...JUNE,
    steps: [
      {
        does: change({ quantity: 3 }, { proration_date: Date.UTC(2026, 0, 1) / 1000 }),
        refused: 'within the current billing period',
        is: WHOLE,
      },
    ],
  },
  {
    title: 'two changes in one period give back what each of them had charged',
    ...JUNE,
    steps: [
      { at: '2026-06-11', does: change({ price: '60/month' }), bills: ['create: +30 = 30 paid'] },
      { at: '2026-06-21', does: change({ price: '90/month' }) },
      { at: '2026-07-01', bills: ['cycle: -20 +40 -20 +30 +90 = 120 paid'] },
    ],
  },
  {
    title: 'a change of the interval begins a new period at once, and gives the rest of the old one back',
    ...JUNE,
    steps: [
      {
        at: '2026-06-16',
        does: change({ price: '300/year' }),
        bills: ['create: +30 = 30 paid', 'update: -15 +300 = 285 paid'],
        is: 'active 2026-06-16 → 2027-06-16',
      },
      { at: '2027-06-16', bills: ['cycle: +300 = 300 paid'], is: 'active 2027-06-16 → 2028-06-16' },
    ],
  },
  {
    title: 'a billing cycle that begins anew gives the rest of the old period back',
    ...JUNE,
    steps: [
      {
        at: '2026-06-16',
        does: ({ stripe, subscription }) =>
          stripe.subscriptions.update(subscription, { billing_cycle_anchor: { type: 'now' } }),
        bills: ['create: +30 = 30 paid', 'update: -15 +30 = 15 paid'],
        is: 'active 2026-06-16 → 2026-07-16',
        events: [
          'customer.subscription.created',
          'customer.subscription.updated (status)',
          'customer.subscription.updated (billing_cycle_anchor, items, latest_invoice)',
        ],
      },
      { at: '2026-07-16', bills: ['cycle: +30 = 30 paid'] },
    ],
  },
  {
    title: 'with half off for ever, prorations are half as well',
    ...JUNE,
    steps: [
      {
        does: async ({ stripe, subscription }) => {
          const coupon = await stripe.coupons.create({ percent_off: 50, duration: 'forever' });
          await stripe.subscriptions.update(subscription, { discounts: [{ coupon: coupon.id }] });
        },
      },
      { at: '2026-07-01', bills: ['cycle: +30 off 15 = 15 paid'] },
      {
        at: '2026-07-16T22:00',
        does: change({ price: '60/month' }, { proration_behavior: 'always_invoice' }),
        bills: ['update: -7.5 +15 = 7.5 paid'],
      },
    ],
  },
  {
    title: 'an upgrade whose payment fails counts all the same by default, and is owed',
    ...JUNE,
    steps: [
      { does: card('pm_card_chargeCustomerFail') },
      {
        at: '2026-06-16',
        does: async (scene) => {
          declineNext(scene);
          await change({ price: '60/month' }, { proration_behavior: 'always_invoice' })(scene);
        },
        bills: ['update: -15 +30 = 15 open'],
        is: 'past_due 2026-06-01 → 2026-07-01',
      },
    ],
  },
  {
    title: 'with error_if_incomplete an upgrade that cannot be paid is refused, and nothing has changed',
    ...JUNE,
    steps: [
      { does: card('pm_card_chargeCustomerFail') },
      {
        at: '2026-06-16',
        does: change(
          { price: '60/month' },
          { proration_behavior: 'always_invoice', payment_behavior: 'error_if_incomplete' },
        ),
        refused: 'card_declined',
        bills: [],
        is: WHOLE,
        events: [],
      },
      { at: '2026-06-17', does: card('pm_card_visa') },
      {
        does: change(
          { price: '60/month' },
          { proration_behavior: 'always_invoice', payment_behavior: 'error_if_incomplete' },
        ),
        bills: ['update: -14 +28 = 14 paid'],
      },
    ],
  },
  {
    title: 'with default_incomplete an upgrade is owed until somebody pays it',
    ...JUNE,
    steps: [
      {
        at: '2026-06-16',
        does: change(
          { price: '60/month' },
          { proration_behavior: 'always_invoice', payment_behavior: 'default_incomplete' },
        ),
        bills: ['create: +30 = 30 paid', 'update: -15 +30 = 15 open'],
        is: 'past_due 2026-06-01 → 2026-07-01',
      },
      { does: payLatest, is: WHOLE, events: ['customer.subscription.updated (status)'] },
    ],
  },
  {
    title: 'with pending_if_incomplete an upgrade counts once it is paid',
    ...JUNE,
    steps: [
      { does: card('pm_card_chargeCustomerFail') },
      {
        at: '2026-06-16',
        does: async (scene) => {
          declineNext(scene);
          await change(
            { price: '60/month' },
            { proration_behavior: 'always_invoice', payment_behavior: 'pending_if_incomplete' },
          )(scene);
        },
        bills: ['update: -15 +30 = 15 open'],
        is: `${WHOLE}, change waits until 2026-06-17T09:00`,
        events: ['customer.subscription.updated (latest_invoice, pending_update)'],
        and: async ({ stripe, subscription }) => {
          const { items, pending_update } = await stripe.subscriptions.retrieve(subscription);
          expect(items.data[0]?.price.unit_amount).toBe(3000);
          expect(pending_update?.subscription_items?.[0]?.price.unit_amount).toBe(6000);
        },
      },
      {
        does: async (scene) => {
          await card('pm_card_visa')(scene);
          await payLatest(scene);
        },
        is: WHOLE,
        events: [
          'customer.subscription.updated (items, pending_update)',
          'customer.subscription.pending_update_applied',
        ],
      },
      { at: '2026-07-01', bills: ['cycle: +60 = 60 paid'] },
    ],
  },
  {
    title: 'a change that nobody pays for is dropped after 23 hours',
    ...JUNE,
    steps: [
      {
        at: '2026-06-16',
        does: async (scene) => {
          declineNext(scene);
          await change(
            { price: '60/month' },
            { proration_behavior: 'always_invoice', payment_behavior: 'pending_if_incomplete' },
          )(scene);
        },
      },
      {
        at: '2026-06-17',
        is: WHOLE,
        events: ['customer.subscription.updated (pending_update)', 'customer.subscription.pending_update_expired'],
        and: async ({ stripe, subscription }) => {
          const [invoice] = (await stripe.invoices.list({ subscription, limit: 1 })).data;
          expect(invoice?.status).toBe('void');
        },
      },
      { at: '2026-07-01', bills: ['cycle: +30 = 30 paid'] },
    ],
  },
  {
    title: 'only what is billed may wait for its payment',
    ...JUNE,
    steps: [
      {
        does: ({ stripe, subscription }) =>
          stripe.subscriptions.update(subscription, {
            metadata: { a: 'b' },
            payment_behavior: 'pending_if_incomplete',
          }),
        refused: 'pending updates support',
      },
    ],
  },
  {
    title: 'what is charged once comes with the next invoice',
    ...JUNE,
    steps: [
      {
        at: '2026-06-16',
        does: async ({ stripe, subscription, price }) =>
          stripe.subscriptions.update(subscription, {
            add_invoice_items: [{ price: await price('7 once'), quantity: 2 }],
          }),
        bills: ['create: +30 = 30 paid'],
      },
      { at: '2026-07-01', bills: ['cycle: +14 +30 = 44 paid'] },
    ],
  },
];
