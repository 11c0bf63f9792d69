import { addPeriods } from '../billing/periods.ts';
import { Control } from '../control.ts';
import { StripeError } from '../errors.ts';
import type { Faults } from '../faults.ts';
import { nextDue } from '../time.ts';
import type { World } from '../world.ts';
import { controlPage, FAULT_NAMES } from './control-view.ts';
import { type PageRequest, type PageResponse, page, seeOther } from './http.ts';

const DAY = 86_400;
const MONTH = {
  interval: 'month',
  interval_count: 1,
  meter: null,
  trial_period_days: null,
  usage_type: 'licensed',
} as const;

/** The control page, and what its buttons do. */
export function handleControl(world: World, request: PageRequest): PageResponse {
  const query = new URL(request.path, 'http://localhost').searchParams;
  if (request.method === 'GET') {
    const text = DONE[query.get('did') ?? ''];
    return page(controlPage(world, nextDue(world), text === undefined ? null : { good: true, text }));
  }
  const form = new URLSearchParams(request.body);
  try {
    return seeOther(`/?did=${act(world, form)}`);
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
    return page(controlPage(world, nextDue(world), { good: false, text: error.message }), error.status);
  }
}

const DONE: Readonly<Record<string, string>> = {
  advanced: 'The clock has moved.',
  failing: "The customer's next payment will fail.",
  settled: 'The payment is no longer under way.',
  refunded: 'The payment was refunded.',
  disputed: 'The customer disputes the payment.',
  closed: 'The dispute is closed.',
  resent: 'The event was sent again.',
  faults: 'The faults are set.',
};

/**
 * Carries one button out.
 * @returns what was done, as the address says it
 * @throws StripeError when it cannot be done
 */
function act(world: World, form: URLSearchParams): string {
  const control = new Control(world);
  const given = (name: string) => form.get(name) ?? '';
  switch (given('action')) {
    case 'advance':
      control.advance({ to: destination(control, given('by')) });
      return 'advanced';
    case 'fail_next':
      control.failNextPayment({ customer: given('customer') });
      return 'failing';
    case 'settle':
      control.settlePayment(given('payment'), given('ending') === 'fails' ? 'fails' : 'succeeds');
      return 'settled';
    case 'refund':
      control.refund(given('charge'));
      return 'refunded';
    case 'dispute':
      control.dispute(given('charge'));
      return 'disputed';
    case 'close_dispute':
      control.closeDispute(given('dispute'), given('outcome') === 'won' ? 'won' : 'lost');
      return 'closed';
    case 'resend':
      control.resendEvent(given('event'));
      return 'resent';
    case 'faults':
      if (form.has('clear')) control.clearFaults();
      else control.setFaults(readFaults(form));
      return 'faults';
    default:
      throw new StripeError(400, 'invalid_request_error', 'There is no such button.');
  }
}

/** Where a button moves the clock to, in Unix seconds. */
function destination(control: Control, by: string): number {
  const { now, nextDue: due } = control.state();
  if (by === 'next') return Math.max(now, due ?? now);
  return by === 'month' ? addPeriods(now, MONTH, 1) : now + DAY;
}

/** @throws StripeError that names the field */
function readFaults(form: URLSearchParams): Partial<Faults> {
  const read: Partial<Faults> = {};
  for (const name of FAULT_NAMES) {
    const text = (form.get(name) ?? '').trim();
    if (name === 'rateLimit') {
      read.rateLimit = text === '' ? null : numberOf(name, text, Number.MAX_SAFE_INTEGER);
    } else if (text !== '') {
      const most = name.endsWith('Ms') ? 600_000 : name === 'seed' ? Number.MAX_SAFE_INTEGER : 1;
      read[name] = numberOf(name, text, most);
    }
  }
  return read;
}

function numberOf(name: string, text: string, most: number): number {
  const number = Number(text);
  if (number >= 0 && number <= most) return number;
  throw new StripeError(400, 'invalid_request_error', `${name} has to be a number from 0 to ${most}.`, { param: name });
}
