import Stripe from 'stripe';
import { onTestFinished } from 'vitest';
import { type AccountSettings, type OpenSandbox, openSandbox } from '../../src/index.ts';
import { shapeProblems } from '../support/shape-check.ts';

/** A sandbox without a socket, a test clock and a customer on it. */
export interface Scene {
  stripe: Stripe;
  control: OpenSandbox['control'];
  clock: string;
  customer: string;
  /** The subscription that the story is about. */
  subscription: string;
  /** What was not as the official client's types say. */
  problems: Set<string>;
  /** A price that is made when it is first asked for, such as `20/month`, `5/year`, `30/3 months` or `7 once`, in dollars. */
  price: (name: string) => Promise<string>;
  /** The id of the subscription's first item. */
  item: () => Promise<string>;
}

/** Unix seconds of a date such as `2026-01-31` (at 10 in the morning, UTC) or `2026-01-31T12:30`. */
export function at(date: string): number {
  return Date.parse(date.includes('T') ? `${date}Z` : `${date}T10:00Z`) / 1000;
}

/** Looks at every answer that is not an error. */
function looking(fetched: typeof fetch, problems: Set<string>): typeof fetch {
  return async (input, init) => {
    const response = await fetched(input, init);
    if (!response.ok) return response;
    const body = await response.text();
    for (const problem of shapeProblems(JSON.parse(body))) problems.add(problem);
    return new Response(body, response);
  };
}

function recurringOf(words: string): Stripe.PriceCreateParams.Recurring | undefined {
  const match = /^\d+\/(?:(\d+) )?(day|week|month|year)s?$/.exec(words);
  if (match === null) return undefined;
  return {
    interval: match[2] as Stripe.PriceCreateParams.Recurring['interval'],
    interval_count: Number(match[1] ?? 1),
  };
}

/** Sets a scene at a date. The customer pays with a test card such as `pm_card_visa`; null: with nothing. */
export async function setScene(
  from: string,
  options: { card?: string | null; account?: Partial<AccountSettings> } = {},
): Promise<Scene> {
  const sandbox = await openSandbox({
    seed: 1,
    clock: { at: at(from), frozen: true },
    ...(options.account === undefined ? {} : { account: options.account }),
  });
  onTestFinished(() => sandbox.close());
  const problems = new Set<string>();
  const stripe = new Stripe('sk_test_engine', {
    httpClient: Stripe.createFetchHttpClient(looking(sandbox.fetch, problems)),
    maxNetworkRetries: 0,
    telemetry: false,
  });
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: at(from) });
  const card = options.card === undefined ? 'pm_card_visa' : options.card;
  const customer = await stripe.customers.create({
    test_clock: clock.id,
    ...(card === null ? {} : { payment_method: card, invoice_settings: { default_payment_method: card } }),
  });
  const prices = new Map<string, string>();
  const price = async (name: string): Promise<string> => {
    const known = prices.get(name);
    if (known !== undefined) return known;
    const recurring = recurringOf(name);
    const made = await stripe.prices.create({
      currency: 'usd',
      unit_amount: Math.round(Number.parseFloat(name) * 100),
      product_data: { name },
      ...(recurring === undefined ? {} : { recurring }),
    });
    prices.set(name, made.id);
    return made.id;
  };
  const scene: Scene = {
    stripe,
    control: sandbox.control,
    clock: clock.id,
    customer: customer.id,
    subscription: '',
    problems,
    price,
    item: async () => (await stripe.subscriptions.retrieve(scene.subscription)).items.data[0]?.id ?? '',
  };
  return scene;
}

function day(seconds: number): string {
  const text = new Date(seconds * 1000).toISOString();
  return text.slice(11, 16) === '10:00' ? text.slice(0, 10) : text.slice(0, 16);
}

/** The subscription in a line: `active 2026-01-31 → 2026-02-28, ends 2026-02-28`. */
export async function stateOf({ stripe, subscription }: Scene): Promise<string> {
  const { items, ...now } = await stripe.subscriptions.retrieve(subscription);
  const periods = items.data.map((item) => `${day(item.current_period_start)} → ${day(item.current_period_end)}`);
  const notes = [
    now.cancel_at !== null && now.ended_at === null ? `, ends ${day(now.cancel_at)}` : '',
    now.ended_at === null ? '' : `, ended ${day(now.ended_at)}`,
    now.pending_update === null ? '' : `, change waits until ${day(now.pending_update.expires_at)}`,
    now.pause_collection === null ? '' : ', collection paused',
  ];
  return `${now.status} ${[...new Set(periods)].join(' & ')}${notes.join('')}`;
}

/** An invoice in a line, in dollars: `cycle: -5 +20 = 15 paid`. */
export function invoiceLine(invoice: Stripe.Invoice): string {
  const dollars = (amount: number) => String(amount / 100);
  const lines = invoice.lines.data.map(({ amount }) => (amount < 0 ? dollars(amount) : `+${dollars(amount)}`));
  const off = (invoice.total_discount_amounts ?? []).reduce((sum, { amount }) => sum + amount, 0);
  const reason = invoice.billing_reason?.replace('subscription_', '');
  const due = invoice.amount_due === invoice.total ? '' : `, due ${dollars(invoice.amount_due)}`;
  return `${reason}: ${lines.join(' ')}${off > 0 ? ` off ${dollars(off)}` : ''} = ${dollars(invoice.total)}${due} ${invoice.status}`;
}

/** Notes of the events of a world since the one before, with the fields that they say have changed. */
export async function eventsSince(scene: Scene, last: string | undefined): Promise<Stripe.Event[]> {
  const events: Stripe.Event[] = [];
  const list = scene.stripe.events.list({ limit: 100, ...(last === undefined ? {} : { ending_before: last }) });
  for await (const event of list) events.push(event);
  // Towards newer ones the client goes through them in the order of time.
  return last === undefined ? events.reverse() : events;
}

/** An event in words: `customer.subscription.updated (items, latest_invoice)`. */
export function eventLine({ type, data }: Stripe.Event): string {
  const changed = Object.keys((data.previous_attributes ?? {}) as object).sort();
  return changed.length === 0 ? type : `${type} (${changed.join(', ')})`;
}
