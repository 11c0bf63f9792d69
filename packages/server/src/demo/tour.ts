/** What the tour makes happen: everything through the sandbox, as it would happen in Stripe, and nothing in Tollgate. */
import { make, trialCall } from './acts.ts';
import { DemoProblem } from './api.ts';
import type { Demo } from './set-up.ts';
import { customerNow } from './state.ts';
import { loadTour, type Payment, type TourState } from './tour-state.ts';

interface Asked {
  demo: Demo;
  customerId: string;
  origin: string;
  /** What was sent with the button: `payment`, a charge's id, and `by`, how far the clock moves. */
  sent: URLSearchParams;
}

/** @returns where to go on, when that is not back to the tour */
type TourAct = (asked: Asked, state: TourState) => Promise<string | undefined>;

const DAY_SECONDS = 86_400;
const MOST_RETRIES = 10;
const PROCESSED_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 50;

async function advance({ sandbox }: Demo, to: number): Promise<void> {
  await sandbox.ask('POST', '/_sandbox/advance', { to: Math.ceil(to) });
}

/** The end of the period that the customer is in, in Unix seconds. */
function periodEnd({ subscription }: TourState): number {
  const [item] = subscription?.items ?? [];
  if (item === undefined) throw new DemoProblem(409, 'no_subscription', 'There is no plan yet. Start a trial first.');
  return Date.parse(item.current_period_end) / 1000;
}

async function failNext({ sandbox }: Demo, { stripeCustomer }: TourState): Promise<void> {
  await sandbox.ask('POST', '/_sandbox/fail_next_payment', { customer: stripeCustomer });
}

async function openInvoices({ sandbox }: Demo, { stripeCustomer }: TourState) {
  if (stripeCustomer === null) return [];
  const query = new URLSearchParams({ customer: stripeCustomer, status: 'open' });
  const { data } = await sandbox.ask<{ data: { id: string; next_payment_attempt: number | null }[] }>(
    'GET',
    `/v1/invoices?${query}`,
  );
  return data;
}

/** Time passes to the end of the grace that Tollgate gives, and every retry on the way fails. */
const letGraceRunOut: TourAct = async ({ demo, customerId }, state) => {
  const { features } = await customerNow(demo, customerId);
  const ends = features.find(({ reason }) => reason === 'subscription_grace')?.valid_to ?? null;
  if (ends === null) throw new DemoProblem(409, 'no_grace', 'No grace is running. Let a payment fail first.');
  const end = Date.parse(ends) / 1000;
  for (let retry = 0; retry < MOST_RETRIES; retry += 1) {
    const [invoice] = await openInvoices(demo, state);
    const at = invoice?.next_payment_attempt ?? null;
    if (at === null || at > end) break;
    await failNext(demo, state);
    await advance(demo, at);
  }
  await advance(demo, end + 1);
  return undefined;
};

const pay: TourAct = async ({ demo }, state) => {
  const invoices = await openInvoices(demo, state);
  if (invoices.length === 0) throw new DemoProblem(409, 'nothing_owed', 'Nothing is owed. Let a payment fail first.');
  for (const { id } of invoices) await demo.sandbox.ask('POST', `/v1/invoices/${id}/pay`);
  return undefined;
};

const moveClock: TourAct = async ({ demo, customerId, sent }) => {
  const { now, nextDue } = await demo.sandbox.ask<{ now: number; nextDue: number | null }>('GET', '/_sandbox/state');
  if (sent.get('by') !== 'next') {
    await advance(demo, now + (sent.get('by') === 'month' ? 30 : 1) * DAY_SECONDS);
    return undefined;
  }
  const { nextChangeAt } = await customerNow(demo, customerId);
  const moments = [nextDue, nextChangeAt === null ? null : Date.parse(nextChangeAt) / 1000];
  await advance(demo, Math.max(now, Math.min(...moments.flatMap((moment) => moment ?? []))));
  return undefined;
};

/** The payment that a button speaks of, which must be one of the customer's. */
function chosen({ sent }: Asked, { payments }: TourState): Payment {
  const payment = payments.find(({ id }) => id === sent.get('payment'));
  if (payment === undefined) throw new DemoProblem(404, 'not_found', 'This customer has made no such payment.');
  return payment;
}

const closeDispute =
  (verdict: 'lost' | 'won'): TourAct =>
  async (asked, state) => {
    const { dispute } = chosen(asked, state);
    if (dispute === null) throw new DemoProblem(409, 'no_dispute', 'This payment is not disputed.');
    await asked.demo.sandbox.ask('POST', '/_sandbox/close_dispute', { dispute: dispute.id, verdict });
    return undefined;
  };

const ACTS = {
  trial: async ({ demo, customerId, origin }) => {
    return (await make<{ url: string }>(demo, trialCall(demo, origin, customerId))).url;
  },
  period: async ({ demo }, state) => {
    await advance(demo, periodEnd(state) + 1);
    return undefined;
  },
  fail: async ({ demo }, state) => {
    const end = periodEnd(state);
    await failNext(demo, state);
    await advance(demo, end + 1);
    return undefined;
  },
  grace: letGraceRunOut,
  pay,
  clock: moveClock,
  refund: async (asked, state) => {
    await asked.demo.sandbox.ask('POST', '/_sandbox/refund', { payment: chosen(asked, state).id });
    return undefined;
  },
  dispute: async (asked, state) => {
    await asked.demo.sandbox.ask('POST', '/_sandbox/dispute', { payment: chosen(asked, state).id });
    return undefined;
  },
  won: closeDispute('won'),
  lost: closeDispute('lost'),
} satisfies Record<string, TourAct>;

export type TourActName = keyof typeof ACTS;

function isAct(name: string): name is TourActName {
  return Object.hasOwn(ACTS, name);
}

/**
 * Makes one thing happen, and waits a little for Tollgate to hear of it, so that the next page shows it without a script.
 * @returns where the browser goes on
 * @throws DemoProblem when it cannot happen now, with what to do first
 */
export async function carryOutTour(name: string, asked: Asked): Promise<string> {
  if (!isAct(name)) throw new DemoProblem(400, 'invalid_request', 'There is no such button.');
  const next = await ACTS[name](asked, await loadTour(asked.demo, asked.customerId));
  if (next !== undefined) return next;
  await asked.demo.sandbox.settle();
  await untilProcessed(asked.demo);
  return `/?did=${name}#later`;
}

/** Until no event waits to be worked on, or two seconds have passed. */
async function untilProcessed({ api, adminKey }: Demo): Promise<void> {
  const giveUpAt = performance.now() + PROCESSED_WITHIN_MS;
  while (performance.now() < giveUpAt) {
    const { data } = await api.call<{ data: unknown[] }>('GET', '/admin/events?status=received&limit=1', adminKey);
    if (data.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
