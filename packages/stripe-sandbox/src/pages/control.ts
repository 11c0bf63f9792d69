import { addPeriods } from '../billing/periods.ts';
import { Control } from '../control.ts';
import { StripeError } from '../errors.ts';
import type { Faults } from '../faults.ts';
import { nextDue } from '../time.ts';
import type { World } from '../world.ts';
import { FAULT_NAMES, type TypedFaults } from './control-faults.ts';
import type { ControlNotice, Section } from './control-parts.ts';
import { controlPage } from './control-view.ts';
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
  const show = (notice: ControlNotice | null, faults: TypedFaults | null, status: number) =>
    page(controlPage(world, { nextChange: nextDue(world), notice, faults }), status);
  if (request.method === 'GET') {
    const did = new URL(request.path, 'http://localhost').searchParams.get('did') ?? '';
    const [at, text] = DONE[did] ?? [];
    return show(at === undefined || text === undefined ? null : { at, good: true, text }, null, 200);
  }
  const form = new URLSearchParams(request.body);
  try {
    const done = act(world, form);
    // Back to where the button was, where the page says what came of it.
    return seeOther(`/?did=${done}#${DONE[done]?.[0]}`);
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
    const { param } = error.details;
    if (form.get('action') === 'faults' && param !== undefined) {
      return show(null, { values: Object.fromEntries(form), name: param, error: error.message }, error.status);
    }
    const at = SECTIONS[form.get('action') ?? ''] ?? 'clock';
    return show({ at, good: false, text: error.message }, null, error.status);
  }
}

/** Where a button stands, by its action. */
const SECTIONS: Readonly<Record<string, Section>> = {
  advance: 'clock',
  close_dispute: 'charges',
  dispute: 'charges',
  fail_next: 'subscriptions',
  faults: 'faults',
  refund: 'charges',
  resend: 'events',
  settle: 'charges',
};

/** What the page says after something was done, and where. */
const DONE: Readonly<Record<string, readonly [at: Section, text: string]>> = {
  advanced: ['clock', 'The clock has moved.'],
  failing: ['subscriptions', "The customer's next payment will fail."],
  settled: ['charges', 'The payment is no longer under way.'],
  refunded: ['charges', 'The payment was refunded.'],
  disputed: ['charges', 'The customer disputes the payment.'],
  closed: ['charges', 'The dispute is closed.'],
  resent: ['events', 'The event was sent again.'],
  faults: ['faults', 'The faults are set.'],
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
  throw new StripeError(400, 'invalid_request_error', `Give a number from 0 to ${most}.`, { param: name });
}
