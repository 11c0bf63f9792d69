import { DemoProblem } from './api.ts';
import type { Demo } from './set-up.ts';

/** A subscription as `GET /customers/{id}` shows it, as far as the tour asks. */
interface Subscribed {
  id: string;
  status: string;
  items: { current_period_end: string }[];
}

/** A payment of the customer, as Stripe lists it. */
export interface Payment {
  id: string;
  amount: number;
  amount_refunded: number;
  created: number;
  paid: boolean;
  refunded: boolean;
  dispute: { id: string; status: string } | null;
}

/** What a customer has, as far as it decides what can happen next. */
export interface TourState {
  /** Stripe's id; null while the customer has bought nothing. */
  stripeCustomer: string | null;
  /** The newest subscription that has not ended; null without one. */
  subscription: Subscribed | null;
  /** Newest first. */
  payments: readonly Payment[];
}

const ENDED = new Set(['canceled', 'incomplete_expired']);
const SHOWN_PAYMENTS = 4;

/** Asks Tollgate what the customer has, and the sandbox what they paid. */
export async function loadTour(demo: Demo, customerId: string): Promise<TourState> {
  const account = await accountOf(demo, customerId);
  const stripeCustomer = account?.stripe_customer_id ?? null;
  const subscription = account?.subscriptions.find(({ status }) => !ENDED.has(status)) ?? null;
  const payments = stripeCustomer === null ? [] : await paymentsOf(demo, stripeCustomer);
  return { stripeCustomer, subscription, payments };
}

interface Account {
  stripe_customer_id: string | null;
  subscriptions: Subscribed[];
}

async function accountOf({ api, secretKey }: Demo, customerId: string): Promise<Account | null> {
  try {
    return await api.call<Account>('GET', `/customers/${encodeURIComponent(customerId)}`, secretKey);
  } catch (error) {
    if (error instanceof DemoProblem && error.status === 404) return null;
    throw error;
  }
}

async function paymentsOf({ sandbox }: Demo, stripeCustomer: string): Promise<Payment[]> {
  const query = new URLSearchParams({ customer: stripeCustomer, limit: '20' });
  const charges = await sandbox.ask<{ data: Payment[] }>('GET', `/v1/charges?${query}`);
  const paid = charges.data.filter((charge) => charge.paid).slice(0, SHOWN_PAYMENTS);
  return await Promise.all(
    paid.map(async (charge) => {
      const disputes = await sandbox.ask<{ data: { id: string; status: string }[] }>(
        'GET',
        `/v1/disputes?${new URLSearchParams({ charge: charge.id, limit: '1' })}`,
      );
      return { ...charge, dispute: disputes.data[0] ?? null };
    }),
  );
}
