import { amountFor, money } from '../billing/amounts.ts';
import type { Interval, Price } from '../model.ts';

const DAY: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' };
const MOMENT: Intl.DateTimeFormatOptions = {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZone: 'UTC',
};

/** Made when they are first needed, and kept: to make one takes as long as to load ten files. */
const formats = new Map<Intl.DateTimeFormatOptions, Intl.DateTimeFormat>();

function formatted(seconds: number, options: Intl.DateTimeFormatOptions): string {
  let format = formats.get(options);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', options);
    formats.set(options, format);
  }
  return format.format(seconds * 1000);
}

/** Unix seconds as `1 December 2026` (UTC). */
export function day(seconds: number): string {
  return formatted(seconds, DAY);
}

/** Unix seconds as `1 Dec 2026, 09:30:00` (UTC). */
export function moment(seconds: number): string {
  return formatted(seconds, MOMENT);
}

/** `1 day`, `14 days`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** `per month`, `every 3 months`. */
export function every({ interval, interval_count }: { interval: Interval; interval_count: number }): string {
  return interval_count === 1 ? `per ${interval}` : `every ${count(interval_count, interval)}`;
}

/** What a price costs and how often: `$20.00 per month`. */
export function priceWords(price: Price, quantity = 1): string {
  if (price.recurring?.usage_type === 'metered') return `by usage, ${every(price.recurring)}`;
  const amount = money(amountFor(price, quantity), price.currency);
  return price.recurring === null ? amount : `${amount} ${every(price.recurring)}`;
}

/** `past_due` as people say it. */
export function spoken(code: string): string {
  return code.replaceAll('_', ' ');
}
