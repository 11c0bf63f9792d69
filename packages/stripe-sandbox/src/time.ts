import { invoiceOf } from './billing/invoices.ts';
import { invoiceDue, subscriptionDue } from './billing/renewal.ts';
import { scheduleDue } from './billing/schedules.ts';
import { settlePayment } from './billing/settlement.ts';
import { expireSession, settleSession } from './checkout/pay-session.ts';
import { invalidRequest } from './errors.ts';
import type { PaymentIntent, TestClock } from './model.ts';
import type { Due } from './schedule.ts';
import type { World } from './world.ts';

/** What is done with each kind of thing when its time has come. */
const WHEN_DUE: Record<Due['kind'], (world: World, id: string) => void> = {
  'checkout.session': sessionDue,
  invoice: invoiceDue,
  payment_intent: paymentDue,
  // A phase that begins with a period comes first, so that the period is charged as the phase has it.
  subscription: (world, id) => {
    const schedule = world.store.get('subscription', id)?.schedule ?? null;
    if (schedule !== null) scheduleDue(world, schedule);
    subscriptionDue(world, id);
  },
  subscription_schedule: scheduleDue,
};

function sessionDue(world: World, id: string): void {
  const session = world.store.get('checkout.session', id);
  if (session?.status === 'open' && session.expires_at <= world.clock.now()) expireSession(world, session);
}

function paymentDue(world: World, id: string): void {
  const intent = world.store.get('payment_intent', id);
  if (intent?.status === 'processing') endPayment(world, intent);
}

/** Ends a payment that was under way: its invoice, subscription and checkout session take the consequences. */
export function endPayment(world: World, intent: PaymentIntent, ending?: 'fails' | 'succeeds'): void {
  const paid = settlePayment(world, intent, ending);
  const invoice = invoiceOf(world, intent);
  const [session] = [
    ...world.store.all('checkout.session', { key: 'payment_intent', value: intent.id }),
    ...(invoice === undefined ? [] : world.store.all('checkout.session', { key: 'invoice', value: invoice.id })),
  ];
  if (session !== undefined) settleSession(world, session, paid);
}

/** Carries out all that has fallen due by a time, in order, each as if it were the moment it was due. */
function runUntil(world: World, testClock: TestClock | null, time: number): void {
  for (;;) {
    const due = world.takeDue(testClock?.id ?? null, time);
    if (due === undefined) return;
    if (testClock !== null) testClock.frozen_time = Math.max(testClock.frozen_time, due.at);
    world.clock.at(due.at, () => WHEN_DUE[due.kind](world, due.id));
  }
}

/** Carries out what has fallen due while nobody was looking. */
export function catchUp(world: World): void {
  const next = world.scheduleOf(null).next;
  if (next === null || next > world.clock.now()) return;
  runUntil(world, null, world.clock.now());
  world.changed();
}

/**
 * Moves the sandbox's own time forward; what falls due on the way happens in order.
 *
 * @param to Unix seconds
 * @throws StripeError when that lies in the past
 */
export function advanceTo(world: World, to: number): void {
  const now = world.clock.now();
  if (to < now) throw invalidRequest(`The sandbox's time cannot go back (it is ${now}).`, { param: 'to' });
  runUntil(world, null, to);
  world.clock.forward(to - now);
  world.changed();
}

/** Moves a test clock forward; what falls due for its customers on the way happens in order. */
export function advanceTestClock(world: World, clock: TestClock, to: number): void {
  runUntil(world, clock, to);
  clock.frozen_time = to;
}

/** When the next thing falls due on the sandbox's own time, in Unix seconds; null when nothing is planned. */
export function nextDue(world: World): number | null {
  return world.scheduleOf(null).next;
}
