import { addPeriods } from '../billing/periods.ts';
import { StripeError } from '../errors.ts';
import { type Faults, NO_FAULTS } from '../faults.ts';
import { closeDispute, openDispute } from '../resources/disputes.ts';
import { advanceTo, nextDue } from '../time.ts';
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

type Done = keyof typeof DONE;

const DONE: Readonly<Record<string, string>> = {
  advanced: 'The clock has moved.',
  failing: "The customer's next payment will fail.",
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
function act(world: World, form: URLSearchParams): Done {
  const given = (name: string) => form.get(name) ?? '';
  switch (given('action')) {
    case 'advance':
      advance(world, given('by'));
      return 'advanced';
    case 'fail_next':
      world.plannedFailures.push({ customer: given('customer'), declineCode: 'generic_decline' });
      return 'failing';
    case 'dispute':
      openDispute(world, world.need('charge', given('charge')), 'fraudulent');
      return 'disputed';
    case 'close_dispute':
      closeDispute(world, world.need('dispute', given('dispute')), given('outcome') === 'won' ? 'won' : 'lost');
      return 'closed';
    case 'resend':
      world.webhooks.resend(world.need('event', given('event')));
      return 'resent';
    case 'faults':
      world.faults.set(form.has('clear') ? { ...NO_FAULTS } : readFaults(form));
      return 'faults';
    default:
      throw new StripeError(400, 'invalid_request_error', 'There is no such button.');
  }
}

function advance(world: World, by: string): void {
  const now = world.clock.now();
  if (by === 'next') advanceTo(world, Math.max(now, nextDue(world) ?? now));
  else advanceTo(world, by === 'month' ? addPeriods(now, MONTH, 1) : now + DAY);
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
