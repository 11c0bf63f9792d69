import { DEMO_CURRENCY } from './catalog.ts';
import type { FeatureNow } from './state.ts';

const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const MOMENT = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZone: 'UTC',
});

/** `1 Dec 2026`, in UTC. */
export function day(iso: string): string {
  return DAY.format(new Date(iso));
}

/** `1 Dec 2026, 09:30`, in UTC. */
export function moment(iso: string): string {
  return MOMENT.format(new Date(iso));
}

const REASONS: Readonly<Record<string, string>> = {
  subscription_active: 'a paid period',
  subscription_trialing: 'a trial',
  subscription_grace: 'grace while a payment is late',
  subscription_slack: 'slack until the renewal is confirmed',
  purchase: 'bought once',
  grant: 'granted by hand',
  unknown_feature: 'the project has no such feature',
  no_source: 'nothing bought or granted gives it',
  not_started: 'it has not begun',
  expired: 'it ran out',
  canceled: 'the subscription was canceled',
  paused: 'the subscription is paused',
  unpaid: 'the subscription is unpaid',
  payment_past_due: 'the payment is too late',
  payment_pending: 'the payment is not settled yet',
  refunded: 'the payment was refunded',
  disputed: 'the payment is disputed',
  revoked: 'it was revoked',
  denied: 'it is forbidden',
};

/** A reason code as people say it. */
export function reasonWords(code: string): string {
  return REASONS[code] ?? code.replaceAll('_', ' ');
}

/** `on`, `20`, `unlimited`, or `off`. */
export function valueWords({
  entitled,
  value,
  unlimited,
}: Pick<FeatureNow, 'entitled' | 'unlimited' | 'value'>): string {
  if (!entitled) return 'off';
  if (unlimited) return 'unlimited';
  return value === null ? 'on' : String(value);
}

/** `$12.00`: what the demo sells is in dollars alone. */
export function amountWords(cents: number): string {
  return new Intl.NumberFormat('en-US', { style: 'currency', currency: DEMO_CURRENCY }).format(cents / 100);
}

/** `$12.00 per month`. */
export function priceWords(price: { unit_amount: number; recurring?: { interval: string } }): string {
  const amount = amountWords(price.unit_amount);
  return price.recurring === undefined ? `${amount} once` : `${amount} per ${price.recurring.interval}`;
}
