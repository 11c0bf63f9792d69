import type { Story } from '../story.ts';
import { card, declineNext, latestInvoice, payLatest, update } from './acts.ts';

const RETRIES = { retryAfterDays: [3, 5, 7] };

/** Renewals, month ends, leap days and anchors. */
export const RENEWALS: Story[] = [
  {
    title: 'a subscription of the 31st renews on the last day of shorter months, and on the 31st again after that',
    from: '2026-01-31',
    to: ['20/month'],
    steps: [
      { is: 'active 2026-01-31 → 2026-02-28', bills: ['create: +20 = 20 paid'] },
      {
        at: '2026-02-28',
        is: 'active 2026-02-28 → 2026-03-31',
        bills: ['cycle: +20 = 20 paid'],
        events: ['customer.subscription.updated (items, latest_invoice)'],
      },
      { at: '2026-03-31', is: 'active 2026-03-31 → 2026-04-30' },
      { at: '2026-04-30', is: 'active 2026-04-30 → 2026-05-31' },
    ],
  },
  {
    title: 'a month that ends in February ends on the 29th in a leap year',
    from: '2028-01-30',
    to: ['20/month'],
    steps: [{ is: 'active 2028-01-30 → 2028-02-29' }, { at: '2028-02-29', is: 'active 2028-02-29 → 2028-03-30' }],
  },
  {
    title: 'a year that began on a leap day ends on 28 February, and on the 29th four years later',
    from: '2028-02-29',
    to: ['200/year'],
    steps: [
      { is: 'active 2028-02-29 → 2029-02-28' },
      { at: '2029-02-28', is: 'active 2029-02-28 → 2030-02-28' },
      { at: '2030-02-28', is: 'active 2030-02-28 → 2031-02-28' },
      { at: '2031-02-28', is: 'active 2031-02-28 → 2032-02-29' },
    ],
  },
  {
    title: 'quarters, weeks and days are as long as they say, whatever summer time does',
    from: '2026-03-20',
    to: ['5/3 months', '2/2 weeks', '1/10 days'],
    steps: [
      { is: 'active 2026-03-20 → 2026-06-20 & 2026-03-20 → 2026-04-03 & 2026-03-20 → 2026-03-30' },
      { at: '2026-03-30', bills: ['cycle: +1 = 1 paid'] },
      { at: '2026-04-03', bills: ['cycle: +2 = 2 paid'] },
      { at: '2026-04-09', bills: ['cycle: +1 = 1 paid'] },
    ],
  },
  {
    title: 'many periods at once are invoiced one by one, each at its time',
    from: '2026-01-31',
    to: ['20/month'],
    steps: [
      {
        at: '2026-05-01',
        bills: ['create: +20 = 20 paid', 'cycle: +20 = 20 paid', 'cycle: +20 = 20 paid', 'cycle: +20 = 20 paid'],
        is: 'active 2026-04-30 → 2026-05-31',
      },
    ],
  },
  {
    title: 'an anchor in the future makes a short first period, which is charged in part',
    from: '2026-06-16',
    to: ['30/month'],
    with: { billing_cycle_anchor: Date.UTC(2026, 6, 1, 10) / 1000 },
    steps: [
      { is: 'active 2026-06-16 → 2026-07-01', bills: ['create: +15 = 15 paid'] },
      { at: '2026-07-01', is: 'active 2026-07-01 → 2026-08-01', bills: ['cycle: +30 = 30 paid'] },
    ],
  },
  {
    title: 'a short first period costs nothing without proration',
    from: '2026-06-16',
    to: ['30/month'],
    with: { billing_cycle_anchor: Date.UTC(2026, 6, 1, 10) / 1000, proration_behavior: 'none' },
    steps: [{ is: 'active 2026-06-16 → 2026-07-01', bills: ['create: +0 = 0 paid'] }],
  },
  {
    title: 'a cycle that is anchored to the 31st keeps to it, though it begins in a shorter month',
    from: '2026-02-10',
    to: ['28/month'],
    with: {
      billing_cycle_anchor_config: { day_of_month: 31, hour: 10, minute: 0, second: 0 },
      proration_behavior: 'none',
    },
    steps: [
      { is: 'active 2026-02-10 → 2026-02-28' },
      { at: '2026-02-28', is: 'active 2026-02-28 → 2026-03-31', bills: ['cycle: +28 = 28 paid'] },
      { at: '2026-03-31', is: 'active 2026-03-31 → 2026-04-30' },
    ],
  },
  {
    title: 'both ways to set the anchor at once are refused',
    from: '2026-02-10',
    steps: [
      {
        does: async ({ stripe, customer, price }) =>
          stripe.subscriptions.create({
            customer,
            items: [{ price: await price('5/month') }],
            billing_cycle_anchor: Date.UTC(2026, 2, 1) / 1000,
            billing_cycle_anchor_config: { day_of_month: 1 },
          }),
        refused: 'only specify one',
      },
    ],
  },
];

/** First payments that do not go through. */
export const BEGINNINGS: Story[] = [
  {
    title: 'a first payment that is declined leaves the subscription incomplete, and it expires after 23 hours',
    from: '2026-06-01',
    card: null,
    steps: [
      {
        does: async (scene) => {
          await card('pm_card_visa')(scene);
          declineNext(scene);
          const items = [{ price: await scene.price('20/month') }];
          scene.subscription = (await scene.stripe.subscriptions.create({ customer: scene.customer, items })).id;
        },
        is: 'incomplete 2026-06-01 → 2026-07-01',
        bills: ['create: +20 = 20 open'],
      },
      { at: '2026-06-02T08:59', is: 'incomplete 2026-06-01 → 2026-07-01', events: [] },
      {
        at: '2026-06-02T09:00',
        is: 'incomplete_expired 2026-06-01 → 2026-07-01, ended 2026-06-02T09:00',
        events: ['customer.subscription.updated (canceled_at, ended_at, status)'],
        and: async (scene) => {
          const invoice = await scene.stripe.invoices.retrieve(await latestInvoice(scene));
          if (invoice.status !== 'void') throw new Error(`The invoice is ${invoice.status}.`);
        },
      },
    ],
  },
  {
    title: 'with default_incomplete the first invoice waits for the customer, whose payment begins it',
    from: '2026-06-01',
    to: ['20/month'],
    with: { payment_behavior: 'default_incomplete' },
    steps: [
      { is: 'incomplete 2026-06-01 → 2026-07-01', bills: ['create: +20 = 20 open'] },
      {
        at: '2026-06-01T20:00',
        does: payLatest,
        is: 'active 2026-06-01 → 2026-07-01',
        events: ['customer.subscription.updated (status)'],
      },
    ],
  },
  {
    title: 'with error_if_incomplete nothing is made unless it is paid',
    from: '2026-06-01',
    card: 'pm_card_chargeCustomerFail',
    steps: [
      {
        does: async ({ stripe, customer, price }) =>
          stripe.subscriptions.create({
            customer,
            items: [{ price: await price('20/month') }],
            payment_behavior: 'error_if_incomplete',
          }),
        refused: 'card_declined',
        bills: [],
        events: [],
      },
    ],
  },
  {
    title: 'a first invoice that is voided ends a subscription that never began',
    from: '2026-06-01',
    to: ['20/month'],
    with: { payment_behavior: 'default_incomplete' },
    steps: [
      {
        does: async (scene) => scene.stripe.invoices.voidInvoice(await latestInvoice(scene)),
        is: 'incomplete_expired 2026-06-01 → 2026-07-01, ended 2026-06-01',
      },
    ],
  },
];

/** Renewals that cannot be collected. */
export const DUNNING: Story[] = [
  {
    title: 'a failed renewal is tried three times more, and then ends the subscription',
    from: '2026-06-01',
    card: 'pm_card_chargeCustomerFail',
    account: { ...RETRIES, afterRetries: 'canceled' },
    to: ['20/month'],
    with: { payment_behavior: 'default_incomplete' },
    steps: [
      { does: async (scene) => scene.stripe.invoices.pay(await latestInvoice(scene), { off_session: false }) },
      {
        at: '2026-07-01',
        is: 'past_due 2026-07-01 → 2026-08-01',
        bills: ['cycle: +20 = 20 open'],
        events: ['customer.subscription.updated (items, latest_invoice)', 'customer.subscription.updated (status)'],
      },
      { at: '2026-07-04', is: 'past_due 2026-07-01 → 2026-08-01', events: [] },
      { at: '2026-07-09', is: 'past_due 2026-07-01 → 2026-08-01', events: [] },
      {
        at: '2026-07-16',
        is: 'canceled 2026-07-01 → 2026-08-01, ended 2026-07-16',
        events: ['customer.subscription.deleted'],
        and: async ({ stripe, subscription }) => {
          const { cancellation_details } = await stripe.subscriptions.retrieve(subscription);
          if (cancellation_details?.reason !== 'payment_failed') throw new Error('It says another reason.');
        },
      },
    ],
  },
  {
    title: 'or leaves it unpaid: further invoices stay drafts until the last one is paid',
    from: '2026-06-01',
    account: { retryAfterDays: [3], afterRetries: 'unpaid' },
    to: ['20/month'],
    steps: [
      { does: (scene) => card('pm_card_chargeCustomerFail')(scene) },
      { at: '2026-07-01', is: 'past_due 2026-07-01 → 2026-08-01' },
      {
        at: '2026-07-04',
        is: 'unpaid 2026-07-01 → 2026-08-01',
        events: ['customer.subscription.updated (status)'],
      },
      { at: '2026-08-01', is: 'unpaid 2026-08-01 → 2026-09-01', bills: ['cycle: +20 = 20 draft'] },
      {
        at: '2026-08-02',
        does: async (scene) => {
          await card('pm_card_visa')(scene);
          await payLatest(scene);
        },
        is: 'active 2026-08-01 → 2026-09-01',
      },
    ],
  },
  {
    title: 'or leaves it past due',
    from: '2026-06-01',
    account: { retryAfterDays: [3], afterRetries: 'past_due' },
    to: ['20/month'],
    steps: [
      { does: (scene) => card('pm_card_chargeCustomerFail')(scene) },
      { at: '2026-07-10', is: 'past_due 2026-07-01 → 2026-08-01' },
    ],
  },
  {
    title: 'a retry that goes through makes it active again',
    from: '2026-06-01',
    account: RETRIES,
    to: ['20/month'],
    steps: [
      { does: async (scene) => declineNext(scene) },
      { at: '2026-07-01', is: 'past_due 2026-07-01 → 2026-08-01', bills: ['cycle: +20 = 20 open'] },
      {
        at: '2026-07-04',
        is: 'active 2026-07-01 → 2026-08-01',
        events: ['customer.subscription.updated (status)'],
      },
    ],
  },
  {
    title: 'writing the last invoice off makes it active again',
    from: '2026-06-01',
    account: RETRIES,
    to: ['20/month'],
    steps: [
      { does: async (scene) => declineNext(scene) },
      {
        at: '2026-07-02',
        does: async (scene) => scene.stripe.invoices.markUncollectible(await latestInvoice(scene)),
        is: 'active 2026-07-01 → 2026-08-01',
      },
    ],
  },
  {
    title: 'an invoice that was sent is past due on its due date, and given up thirty days later',
    from: '2026-06-01',
    account: { afterRetries: 'unpaid' },
    to: ['20/month'],
    with: { collection_method: 'send_invoice', days_until_due: 10 },
    steps: [
      { is: 'active 2026-06-01 → 2026-07-01', bills: ['create: +20 = 20 open'] },
      {
        at: '2026-06-11',
        is: 'past_due 2026-06-01 → 2026-07-01',
        events: ['customer.subscription.updated (status)'],
      },
      { does: payLatest, is: 'active 2026-06-01 → 2026-07-01' },
      { at: '2026-08-20', is: 'unpaid 2026-08-01 → 2026-09-01' },
    ],
  },
];

/** Ends that are planned, and pauses. */
export const ENDS: Story[] = [
  {
    title: 'a cancellation at the period’s end lasts until then',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      {
        does: update({ cancel_at_period_end: true }),
        is: 'active 2026-06-01 → 2026-07-01, ends 2026-07-01',
      },
      { at: '2026-06-30', events: [] },
      {
        at: '2026-07-01',
        is: 'canceled 2026-06-01 → 2026-07-01, ended 2026-07-01',
        bills: [],
        events: ['customer.subscription.deleted'],
      },
    ],
  },
  {
    title: 'one that is taken back is as if it had never been',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      { does: update({ cancel_at_period_end: true, cancellation_details: { feedback: 'unused' } }) },
      {
        does: update({ cancel_at_period_end: false }),
        is: 'active 2026-06-01 → 2026-07-01',
        events: ['customer.subscription.updated (cancel_at, cancel_at_period_end, canceled_at, cancellation_details)'],
      },
      { at: '2026-07-01', is: 'active 2026-07-01 → 2026-08-01' },
    ],
  },
  {
    title: 'cancel_at may be any moment',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      {
        does: update({ cancel_at: Date.UTC(2026, 6, 10, 10) / 1000 }),
        is: 'active 2026-06-01 → 2026-07-01, ends 2026-07-10',
      },
      { at: '2026-07-10', is: 'canceled 2026-07-01 → 2026-08-01, ended 2026-07-10' },
    ],
  },
  {
    title: 'or the end of the shortest or the longest period',
    from: '2026-06-01',
    to: ['20/month', '100/year'],
    steps: [
      {
        does: update({ cancel_at: 'min_period_end' }),
        is: 'active 2026-06-01 → 2026-07-01 & 2026-06-01 → 2027-06-01, ends 2026-07-01',
      },
      {
        does: update({ cancel_at: 'max_period_end' }),
        is: 'active 2026-06-01 → 2026-07-01 & 2026-06-01 → 2027-06-01, ends 2027-06-01',
      },
    ],
  },
  {
    title: 'a cancellation at once gives nothing back unless it is asked to',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      {
        at: '2026-06-16',
        does: ({ stripe, subscription }) => stripe.subscriptions.cancel(subscription),
        is: 'canceled 2026-06-01 → 2026-07-01, ended 2026-06-16',
        bills: ['create: +20 = 20 paid'],
      },
    ],
  },
  {
    title: 'with prorate and invoice_now the rest becomes credit',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      {
        at: '2026-06-16',
        does: ({ stripe, subscription }) =>
          stripe.subscriptions.cancel(subscription, { prorate: true, invoice_now: true }),
        bills: ['create: +20 = 20 paid', 'update: -10 = -10, due 0 paid'],
      },
    ],
  },
  ...(
    [
      ['keep_as_draft', 'draft'],
      ['mark_uncollectible', 'uncollectible'],
      ['void', 'void'],
    ] as const
  ).map(
    ([behavior, status]): Story => ({
      title: `while collection is paused with ${behavior} renewals are ${status}, until it resumes by itself`,
      from: '2026-06-01',
      to: ['20/month'],
      steps: [
        {
          does: update({ pause_collection: { behavior, resumes_at: Date.UTC(2026, 6, 20, 10) / 1000 } }),
          is: 'active 2026-06-01 → 2026-07-01, collection paused',
        },
        {
          at: '2026-07-01',
          is: 'active 2026-07-01 → 2026-08-01, collection paused',
          bills: [`cycle: +20 = 20 ${status}`],
        },
        {
          at: '2026-07-20',
          is: 'active 2026-07-01 → 2026-08-01',
          events: ['customer.subscription.updated (pause_collection)'],
        },
        { at: '2026-08-01', bills: ['cycle: +20 = 20 paid'] },
      ],
    }),
  ),
  {
    title: 'a paused subscription has no renewals; resumed, it begins a new cycle',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      {
        at: '2026-06-16',
        does: ({ stripe, subscription }) => stripe.subscriptions.pause(subscription),
        is: 'paused 2026-06-01 → 2026-07-01',
        events: [
          'customer.subscription.created',
          'customer.subscription.updated (status)',
          'customer.subscription.updated (status)',
          'customer.subscription.paused',
        ],
      },
      { at: '2026-08-10', bills: [], events: [] },
      {
        does: ({ stripe, subscription }) => stripe.subscriptions.resume(subscription),
        is: 'active 2026-08-10 → 2026-09-10',
        bills: ['update: -10 +20 = 10 paid'],
        events: [
          'customer.subscription.updated (billing_cycle_anchor, items, latest_invoice, status)',
          'customer.subscription.resumed',
        ],
      },
    ],
  },
  {
    title: 'resumed with its anchor unchanged it joins the cycle that goes on, and owes the rest of it',
    from: '2026-06-01',
    to: ['31/month'],
    steps: [
      {
        at: '2026-06-11',
        does: ({ stripe, subscription }) =>
          stripe.subscriptions.pause(subscription, { bill_for: { unused_time_from: { type: 'none' } } }),
      },
      {
        at: '2026-08-01',
        does: ({ stripe, subscription }) =>
          stripe.subscriptions.resume(subscription, {
            billing_cycle_anchor: { type: 'unchanged' },
            proration_behavior: 'always_invoice',
          }),
        is: 'active 2026-08-01 → 2026-09-01',
        bills: ['update: +31 = 31 paid'],
      },
    ],
  },
  {
    title: 'resumed on payment success it stays paused until it is paid',
    from: '2026-06-01',
    to: ['20/month'],
    steps: [
      {
        at: '2026-06-16',
        does: ({ stripe, subscription }) =>
          stripe.subscriptions.pause(subscription, { bill_for: { unused_time_from: { type: 'none' } } }),
      },
      {
        at: '2026-07-10',
        does: async (scene) => {
          declineNext(scene);
          await scene.stripe.subscriptions.resume(scene.subscription, {
            payment_behavior: 'resume_on_payment_success',
          });
        },
        is: 'paused 2026-07-10 → 2026-08-10',
        bills: ['update: +20 = 20 open'],
      },
      {
        does: payLatest,
        is: 'active 2026-07-10 → 2026-08-10',
        events: ['customer.subscription.updated (status)', 'customer.subscription.resumed'],
      },
    ],
  },
];
