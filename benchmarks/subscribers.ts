/**
 * Customers who hold a subscription each, whose quantity is their number of seats: bought through a checkout, changed in
 * the sandbox, and looked at through `POST /check` until the change is visible.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import Stripe from 'stripe';
import { call, type RunningService } from './service.ts';

export interface Subscriber {
  customerId: string;
  subscriptionId: string;
  itemId: string;
  quantity: number;
}

interface Waiting {
  customerId: string;
  seats: number;
  resolve: () => void;
}

/** How often it is asked for everyone who waits: asking must not be the load that is measured. */
const LOOK_EVERY_MS = 10;
const MOST_CHECKS = 100;

/** The official client, on the sandbox of a service that was started with one apart. */
export function stripeOf({ sandboxUrl }: RunningService): Stripe {
  const { hostname, port } = new URL(sandboxUrl);
  return new Stripe('sk_test_benchmark0123', { protocol: 'http', host: hostname, port: Number(port) });
}

/** Makes what is sold: a price a month for each seat. */
export async function sellSeats(api: string, key: string): Promise<string> {
  await call('POST', `${api}/features`, key, { code: 'team_seats', name: 'Seats of a team', type: 'limit' });
  const product = await call<{ id: string }>('POST', `${api}/products`, key, {
    name: 'Team',
    features: [{ code: 'team_seats', value: 1, per_unit: true }],
  });
  const terms = { currency: 'usd', unit_amount: 500, recurring: { interval: 'month' } };
  return (await call<{ id: string }>('POST', `${api}/prices`, key, { product: product.id, ...terms })).id;
}

/** Has a new customer buy one seat. */
export async function buySeat(
  { api, key, price, stripe }: { api: string; key: string; price: string; stripe: Stripe },
  customerId: string,
): Promise<Subscriber> {
  const session = await call<{ id: string; url: string }>('POST', `${api}/checkout/sessions`, key, {
    customer_id: customerId,
    price,
    success_url: 'http://127.0.0.1/done',
    cancel_url: 'http://127.0.0.1/back',
  });
  const form = new URLSearchParams({ card_number: '4242424242424242' });
  await fetch(`${session.url}/pay`, { method: 'POST', redirect: 'manual', body: form });
  const paid = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] });
  const subscription = paid.subscription as Stripe.Subscription;
  const itemId = subscription.items.data[0]?.id ?? '';
  return { customerId, subscriptionId: subscription.id, itemId, quantity: 1 };
}

/** Adds a seat; the promise resolves when the check answers it, with the milliseconds since Stripe has it. */
export async function addSeat(stripe: Stripe, watch: SeatWatch, subscriber: Subscriber): Promise<number> {
  subscriber.quantity += 1;
  const { quantity } = subscriber;
  await stripe.subscriptionItems.update(subscriber.itemId, { quantity });
  const changed = performance.now();
  await watch.visible(subscriber.customerId, quantity);
  return performance.now() - changed;
}

/** Asks again and again, one question for everyone who waits. */
export class SeatWatch {
  readonly #waiting = new Set<Waiting>();
  readonly #api: string;
  readonly #key: string;
  readonly #everyMs: number;

  constructor(api: string, key: string, everyMs = LOOK_EVERY_MS) {
    this.#api = api;
    this.#key = key;
    this.#everyMs = everyMs;
    this.#look().catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    });
  }

  /** Resolves when the check answers the number of seats, or more. */
  visible(customerId: string, seats: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.add({ customerId, seats, resolve }));
  }

  async #look(): Promise<void> {
    for (;;) {
      await sleep(this.#everyMs);
      const asked = [...this.#waiting].slice(0, MOST_CHECKS);
      if (asked.length === 0) continue;
      const checks = asked.map(({ customerId }) => ({ customer_id: customerId, feature: 'team_seats' }));
      const answer = await call<{ data: { value: number | null }[] }>('POST', `${this.#api}/check`, this.#key, {
        checks,
      });
      for (const [at, one] of asked.entries()) {
        if ((answer.data[at]?.value ?? 0) < one.seats) continue;
        this.#waiting.delete(one);
        one.resolve();
      }
    }
  }
}
