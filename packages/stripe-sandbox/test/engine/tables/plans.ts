import { expect } from 'vitest';
import { at } from '../scene.ts';
import type { Story } from '../story.ts';
import { card, change, latestInvoice, update } from './acts.ts';

const TRIAL = { from: '2026-06-01', to: ['20/month'] };
const SCHEDULED = { from: '2026-06-01' };

/** Trials, and what becomes of them. */
export const TRIALS: Story[] = [
  {
    title: 'a trial is told of three days before its end, and becomes a paid month',
    ...TRIAL,
    with: { trial_period_days: 14 },
    steps: [
      { is: 'trialing 2026-06-01 → 2026-06-15', bills: ['create: +0 = 0 paid'] },
      { at: '2026-06-11', events: [] },
      { at: '2026-06-12', events: ['customer.subscription.trial_will_end'] },
      {
        at: '2026-06-15',
        is: 'active 2026-06-15 → 2026-07-15',
        bills: ['cycle: +20 = 20 paid'],
        events: ['customer.subscription.updated (items, latest_invoice, status)'],
      },
    ],
  },
  {
    title: 'a trial without a card ends in an invoice that cannot be paid, by default',
    ...TRIAL,
    card: null,
    with: { trial_period_days: 14 },
    steps: [
      {
        at: '2026-06-15',
        is: 'past_due 2026-06-15 → 2026-07-15',
        bills: ['create: +0 = 0 paid', 'cycle: +20 = 20 open'],
      },
    ],
  },
  {
    title: 'or in the end of the subscription',
    ...TRIAL,
    card: null,
    with: { trial_period_days: 14, trial_settings: { end_behavior: { missing_payment_method: 'cancel' } } },
    steps: [
      { at: '2026-06-14' },
      {
        at: '2026-06-15',
        is: 'canceled 2026-06-01 → 2026-06-15, ended 2026-06-15',
        events: ['customer.subscription.deleted'],
      },
    ],
  },
  {
    title: 'or in a pause, which a card and a resumption end',
    ...TRIAL,
    card: null,
    with: { trial_period_days: 14, trial_settings: { end_behavior: { missing_payment_method: 'pause' } } },
    steps: [
      { at: '2026-06-14' },
      {
        at: '2026-06-15',
        is: 'paused 2026-06-01 → 2026-06-15',
        events: ['customer.subscription.updated (status)', 'customer.subscription.paused'],
      },
      {
        at: '2026-07-01',
        does: async (scene) => {
          await card('pm_card_visa')(scene);
          await scene.stripe.subscriptions.resume(scene.subscription);
        },
        is: 'active 2026-07-01 → 2026-08-01',
        bills: ['update: +20 = 20 paid'],
      },
    ],
  },
  {
    title: 'a card that comes in time lets a trial go on, whatever is set',
    ...TRIAL,
    card: null,
    with: { trial_period_days: 14, trial_settings: { end_behavior: { missing_payment_method: 'cancel' } } },
    steps: [
      { at: '2026-06-14', does: card('pm_card_visa') },
      { at: '2026-06-15', is: 'active 2026-06-15 → 2026-07-15', bills: ['cycle: +20 = 20 paid'] },
    ],
  },
  {
    title: 'a trial that is ended now is paid for now',
    ...TRIAL,
    with: { trial_period_days: 14 },
    steps: [
      {
        at: '2026-06-05',
        does: update({ trial_end: 'now' }),
        is: 'active 2026-06-05 → 2026-07-05',
        bills: ['create: +0 = 0 paid', 'update: +20 = 20 paid'],
      },
    ],
  },
  {
    title: 'a trial that is canceled ends with itself',
    ...TRIAL,
    with: { trial_period_days: 14 },
    steps: [
      { does: update({ cancel_at_period_end: true }), is: 'trialing 2026-06-01 → 2026-06-15, ends 2026-06-15' },
      { at: '2026-06-15', is: 'canceled 2026-06-01 → 2026-06-15, ended 2026-06-15', bills: [] },
    ],
  },
  {
    title: 'a trial that is given later gives the rest of the paid month back',
    from: '2026-06-01',
    to: ['30/month'],
    steps: [
      {
        at: '2026-06-16',
        does: update({ trial_end: at('2026-07-10') }),
        is: 'trialing 2026-06-16 → 2026-07-10',
      },
      { at: '2026-07-10', is: 'active 2026-07-10 → 2026-08-10', bills: ['cycle: -15 +30 = 15 paid'] },
    ],
  },
];

/** Coupons and promotion codes. */
export const DISCOUNTS: Story[] = [
  {
    title: 'a coupon for two months is gone after them',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      {
        does: async ({ stripe, subscription }) => {
          const coupon = await stripe.coupons.create({ percent_off: 25, duration: 'repeating', duration_in_months: 2 });
          await stripe.subscriptions.update(subscription, { discounts: [{ coupon: coupon.id }] });
        },
        events: [
          'customer.subscription.created',
          'customer.subscription.updated (status)',
          'customer.discount.created',
          'customer.subscription.updated (discounts)',
        ],
      },
      { at: '2026-07-01', bills: ['cycle: +20 off 5 = 15 paid'] },
      {
        at: '2026-08-01',
        bills: ['cycle: +20 = 20 paid'],
        events: ['customer.discount.deleted', 'customer.subscription.updated (discounts, items, latest_invoice)'],
      },
    ],
  },
  {
    title: 'a coupon that is good once is used up by the first invoice that has something to take it off',
    from: '2026-06-01',
    to: ['20/month'],
    with: { trial_period_days: 10 },
    steps: [
      {
        does: async ({ stripe, subscription }) => {
          const coupon = await stripe.coupons.create({ amount_off: 700, currency: 'usd', duration: 'once' });
          await stripe.subscriptions.update(subscription, { discounts: [{ coupon: coupon.id }] });
        },
      },
      { at: '2026-06-11', bills: ['cycle: +20 off 7 = 13 paid'] },
      { at: '2026-07-11', bills: ['cycle: +20 = 20 paid'] },
    ],
  },
  {
    title: 'several coupons are taken off one after the other, never below nothing',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      {
        does: async ({ stripe, subscription }) => {
          const half = await stripe.coupons.create({ percent_off: 50, duration: 'forever' });
          const fixed = await stripe.coupons.create({ amount_off: 1500, currency: 'usd', duration: 'forever' });
          await stripe.subscriptions.update(subscription, {
            discounts: [{ coupon: half.id }, { coupon: fixed.id }],
          });
        },
      },
      { at: '2026-07-01', bills: ['cycle: +20 off 20 = 0 paid'] },
    ],
  },
  {
    title: 'a coupon on one item takes nothing off the others, and is in its prorations',
    from: '2026-06-01',
    to: ['20/month', '10/month'],
    steps: [
      {
        does: async ({ stripe, subscription, item }) => {
          const coupon = await stripe.coupons.create({ percent_off: 50, duration: 'forever' });
          const items = [{ id: await item(), discounts: [{ coupon: coupon.id }] }];
          await stripe.subscriptions.update(subscription, { items });
        },
      },
      { at: '2026-07-01', bills: ['cycle: +20 +10 off 10 = 20 paid'] },
      {
        at: '2026-07-16T22:00',
        does: change({ price: '60/month' }, { proration_behavior: 'always_invoice' }),
        bills: ['update: -5 +15 = 10 paid'],
      },
    ],
  },
  {
    title: 'a promotion code for one customer is refused to another',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      {
        does: async ({ stripe, subscription }) => {
          const coupon = await stripe.coupons.create({ percent_off: 50, duration: 'forever' });
          const other = await stripe.customers.create();
          const code = await stripe.promotionCodes.create({
            promotion: { type: 'coupon', coupon: coupon.id },
            customer: other.id,
          });
          await stripe.subscriptions.update(subscription, { discounts: [{ promotion_code: code.id }] });
        },
        refused: 'customer does not match',
      },
    ],
  },
  {
    title: 'a promotion code for first purchases is refused to somebody who has paid before',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      {
        does: async ({ stripe, subscription }) => {
          const coupon = await stripe.coupons.create({ percent_off: 50, duration: 'forever' });
          const code = await stripe.promotionCodes.create({
            promotion: { type: 'coupon', coupon: coupon.id },
            restrictions: { first_time_transaction: true },
          });
          await stripe.subscriptions.update(subscription, { discounts: [{ promotion_code: code.id }] });
        },
        refused: 'prior transactions',
      },
    ],
  },
];

/** What is planned in phases. */
export const SCHEDULES: Story[] = [
  {
    title: 'phases follow each other, and the last lets go',
    ...SCHEDULED,
    steps: [
      {
        does: async (scene) => {
          const { stripe, customer, price } = scene;
          const coupon = await stripe.coupons.create({ percent_off: 50, duration: 'forever' });
          const schedule = await stripe.subscriptionSchedules.create({
            customer,
            start_date: 'now',
            end_behavior: 'release',
            phases: [
              {
                items: [{ price: await price('20/month') }],
                discounts: [{ coupon: coupon.id }],
                add_invoice_items: [{ price: await price('7 once') }],
                duration: { interval: 'month', interval_count: 1 },
              },
              { items: [{ price: await price('50/month') }], duration: { interval: 'month', interval_count: 1 } },
            ],
          });
          scene.subscription = String(schedule.subscription);
        },
        bills: ['create: +20 +7 off 13.5 = 13.5 paid'],
        is: 'active 2026-06-01 → 2026-07-01',
      },
      { at: '2026-07-01', bills: ['cycle: +50 = 50 paid'], is: 'active 2026-07-01 → 2026-08-01' },
      { at: '2026-07-26', events: ['subscription_schedule.expiring'] },
      {
        at: '2026-08-01',
        is: 'active 2026-08-01 → 2026-09-01',
        bills: ['cycle: +50 = 50 paid'],
        events: [
          'customer.subscription.updated (schedule)',
          'subscription_schedule.completed',
          'customer.subscription.updated (items, latest_invoice)',
        ],
      },
    ],
  },
  {
    title: 'a phase may begin a new cycle, in the middle of a month',
    ...SCHEDULED,
    steps: [
      {
        does: async (scene) => {
          const { stripe, customer, price } = scene;
          const schedule = await stripe.subscriptionSchedules.create({
            customer,
            start_date: 'now',
            end_behavior: 'cancel',
            phases: [
              { items: [{ price: await price('30/month') }], end_date: at('2026-06-16') },
              {
                items: [{ price: await price('30/month'), quantity: 2 }],
                billing_cycle_anchor: 'phase_start',
                duration: { interval: 'month', interval_count: 1 },
              },
            ],
          });
          scene.subscription = String(schedule.subscription);
        },
        bills: ['create: +30 = 30 paid'],
      },
      { at: '2026-06-16', bills: ['update: -15 +60 = 45 paid'], is: 'active 2026-06-16 → 2026-07-16' },
      { at: '2026-07-16', is: 'canceled 2026-06-16 → 2026-07-16, ended 2026-07-16', bills: [] },
    ],
  },
  {
    title: 'a downgrade at the period’s end is a second phase of a schedule made from the subscription',
    from: '2026-06-01',
    to: ['50/month'],
    steps: [
      {
        does: async ({ stripe, subscription, price }) => {
          const schedule = await stripe.subscriptionSchedules.create({ from_subscription: subscription });
          const [now] = schedule.phases;
          await stripe.subscriptionSchedules.update(schedule.id, {
            phases: [
              {
                items: [{ price: await price('50/month') }],
                start_date: now?.start_date ?? 0,
                end_date: now?.end_date ?? 0,
              },
              { items: [{ price: await price('20/month') }], duration: { interval: 'month', interval_count: 1 } },
            ],
          });
        },
        is: 'active 2026-06-01 → 2026-07-01',
        bills: ['create: +50 = 50 paid'],
      },
      {
        does: update({ cancel_at_period_end: true }),
        refused: 'managed by the subscription schedule',
      },
      { at: '2026-07-01', bills: ['cycle: +20 = 20 paid'] },
      { at: '2026-08-01', bills: ['cycle: +20 = 20 paid'] },
    ],
  },
  {
    title: 'a schedule that begins later makes its subscription then, with its trial',
    ...SCHEDULED,
    steps: [
      {
        does: async ({ stripe, customer, price }) => {
          await stripe.subscriptionSchedules.create({
            customer,
            start_date: at('2026-06-10'),
            phases: [
              {
                items: [{ price: await price('20/month') }],
                trial_end: at('2026-06-20'),
                duration: { interval: 'month', interval_count: 2 },
              },
            ],
          });
        },
        bills: [],
      },
      {
        at: '2026-06-10',
        bills: ['create: +0 = 0 paid'],
        and: async (scene) => {
          scene.subscription = (await scene.stripe.subscriptions.list()).data[0]?.id ?? '';
        },
      },
      { at: '2026-06-20', is: 'active 2026-06-20 → 2026-07-20', bills: ['cycle: +20 = 20 paid'] },
    ],
  },
];

/** What a preview says is what is then invoiced. */
export const PREVIEWS: Story[] = (
  [
    ['a switch that is invoiced at once', '60/month', { proration_behavior: 'always_invoice' }],
    ['a change of the interval', '300/year', {}],
    ['a switch that ends at a renewal', '60/month', {}],
    ['a switch without proration', '60/month', { proration_behavior: 'none' }],
  ] as const
).map(
  ([what, to, how]): Story => ({
    title: `what is previewed for ${what} is what is then invoiced`,
    from: '2026-06-01',
    to: ['30/month'],
    steps: [
      {
        at: '2026-06-12T15:00',
        and: async (scene) => {
          const { stripe, subscription, clock, price, item } = scene;
          const items = [{ id: await item(), price: await price(to), quantity: 3 }];
          const before = await latestInvoice(scene);
          const preview = await stripe.invoices.createPreview({
            subscription,
            subscription_details: { items, ...how },
          });
          expect(await latestInvoice(scene)).toBe(before);
          await stripe.subscriptions.update(subscription, { items, ...how });
          if ((await latestInvoice(scene)) === before) {
            await stripe.testHelpers.testClocks.advance(clock, { frozen_time: at('2026-07-01') });
          }
          const made = await stripe.invoices.retrieve(await latestInvoice(scene));
          const shown = ({ lines, total }: typeof made) => ({
            total,
            lines: lines.data.map(({ amount, period, quantity }) => ({ amount, period, quantity })),
          });
          expect(shown(made)).toEqual(shown(preview as typeof made));
        },
      },
    ],
  }),
);
