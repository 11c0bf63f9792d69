import { failRefund, refundCharge, succeedRefund } from './billing/refunds.ts';
import { type CheckoutPayment, type CheckoutResult, payCheckoutSession } from './checkout/pay-session.ts';
import { invalidRequest } from './errors.ts';
import type { Faults, RequestFailure } from './faults.ts';
import type { Charge, Dispute, Kind, Refund, StripeEvent } from './model.ts';
import { closeDispute, type DisputeCause, type DisputeVerdict, openDispute } from './resources/disputes.ts';
import { advanceTo, endPayment, nextDue } from './time.ts';
import type { DeliveryAttempt } from './webhooks.ts';
import type { World } from './world.ts';

/** What a sandbox holds, in numbers. */
export interface SandboxState {
  /** Unix seconds. */
  now: number;
  /** When the next thing falls due; null when nothing is planned. */
  nextDue: number | null;
  /** How many objects of each kind there are. */
  objects: Record<string, number>;
  faults: Faults;
  plannedRequestFailures: RequestFailure[];
}

/** Steers a sandbox: what happens in Stripe without anybody calling its API. */
export class Control {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  state(): SandboxState {
    const { clock, store, faults } = this.#world;
    return {
      now: clock.now(),
      nextDue: nextDue(this.#world),
      objects: store.counts(),
      faults: faults.settings,
      plannedRequestFailures: faults.planned,
    };
  }

  /** The stored objects of a kind (such as `subscription`), oldest first. Not to be changed. */
  objects(kind: Kind): readonly object[] {
    return this.#world.store.all(kind);
  }

  /**
   * Moves time forward, by seconds or to a moment in Unix seconds; all that falls due on the way happens in order.
   *
   * @returns the new time
   */
  advance(by: { seconds: number } | { days: number } | { to: number }): number {
    const now = this.#world.clock.now();
    const to = 'to' in by ? by.to : now + ('days' in by ? by.days * 86_400 : by.seconds);
    advanceTo(this.#world, Math.floor(to));
    return this.#world.clock.now();
  }

  /** Changes what goes wrong from now on; what is not named stays. */
  setFaults(faults: Partial<Faults>): Faults {
    return this.#act(() => this.#world.faults.set(faults));
  }

  /** Everything works again; planned failures are forgotten. */
  clearFaults(): void {
    this.#act(() => this.#world.faults.reset());
  }

  /** Lets the next requests of a kind fail, hang, or lose their answer. */
  failRequests(failure: RequestFailure): void {
    this.#act(() => this.#world.faults.planned.push({ ...failure }));
  }

  /** Lets the next payment fail: of one customer, or of whoever pays next. */
  failNextPayment(failure: { customer?: string; declineCode?: string } = {}): void {
    const { customer = null, declineCode = 'generic_decline' } = failure;
    this.#act(() => this.#world.plannedFailures.push({ customer, declineCode }));
  }

  /**
   * Pays an open checkout session (`cs_…`), as its hosted page does.
   *
   * @throws StripeError when there is none, or it is not open
   */
  payCheckout(sessionId: string, payment: Partial<CheckoutPayment> = {}): CheckoutResult {
    const session = this.#world.need('checkout.session', sessionId);
    const filled = { cardNumber: '4242424242424242', ...payment };
    return this.#act(() => payCheckoutSession(this.#world, session, filled));
  }

  /** Ends a payment (`pi_…`) that is under way: it settles, or the bank returns it. */
  settlePayment(id: string, ending: 'fails' | 'succeeds' = 'succeeds'): void {
    const intent = this.#world.need('payment_intent', id);
    if (intent.status !== 'processing') throw invalidRequest(`The payment is not under way, but ${intent.status}.`);
    this.#act(() => this.#world.inTimeOf(intent.customer, () => endPayment(this.#world, intent, ending)));
  }

  /** Gives a charge (`ch_…`) or payment (`pi_…`) back, as one does in the dashboard. */
  refund(paymentId: string, amount?: number): Refund {
    const charge = this.#chargeOf(paymentId);
    return this.#actFor(charge.id, () => refundCharge(this.#world, charge, { amount, reason: null, metadata: {} }));
  }

  /** The bank sends a refund (`re_…`) back: it fails after all. */
  failRefund(id: string): Refund {
    return this.#actFor(id, () => failRefund(this.#world, this.#world.need('refund', id)));
  }

  /** A pending refund (`re_…`) goes through. */
  succeedRefund(id: string): Refund {
    return this.#actFor(id, () => succeedRefund(this.#world, this.#world.need('refund', id)));
  }

  /** Opens a dispute about a charge (`ch_…`) or a payment (`pi_…`). */
  dispute(paymentId: string, cause: DisputeCause = 'fraudulent'): Dispute {
    const charge = this.#chargeOf(paymentId);
    if (charge.status !== 'succeeded') throw invalidRequest('Only a charge that went through can be disputed.');
    return this.#actFor(charge.id, () => openDispute(this.#world, charge, cause));
  }

  /** Closes a dispute (`dp_…`). */
  closeDispute(id: string, verdict: DisputeVerdict): Dispute {
    return this.#actFor(id, () => closeDispute(this.#world, this.#world.need('dispute', id), verdict));
  }

  /** Sends an event once more, to one endpoint or to all. */
  resendEvent(id: string, endpoint?: string): StripeEvent {
    const event = this.#world.need('event', id);
    this.#world.webhooks.resend(event, endpoint);
    return event;
  }

  /**
   * Gives a webhook endpoint another signing secret. For a while events are signed with both, as after a roll in the
   * dashboard.
   *
   * @param options the new secret (default: one is made), and for how many seconds the old one stays good (default: a day)
   * @returns the new secret
   */
  rollSecret(endpointId: string, { secret, seconds = 86_400 }: { secret?: string; seconds?: number } = {}): string {
    const fixed = this.#world.fixedEndpoints.find(({ id }) => id === endpointId);
    const endpoint = fixed ?? this.#world.need('webhook_endpoint', endpointId);
    return this.#act(() => {
      const retired = { secret: endpoint.$.secret, until: this.#world.clock.now() + seconds };
      endpoint.$ = { secret: secret ?? this.#world.ids.make('whsec_'), retired };
      return endpoint.$.secret;
    });
  }

  /** The last attempts to deliver events, oldest first. */
  deliveries(): readonly DeliveryAttempt[] {
    return this.#world.webhooks.attempts;
  }

  /** Resolves when no delivery is waiting or under way, retries included. */
  settled(): Promise<void> {
    return this.#world.webhooks.settled();
  }

  /** Empties the sandbox. */
  reset(): void {
    this.#world.reset();
  }

  #chargeOf(paymentId: string): Charge {
    const intent = this.#world.store.get('payment_intent', paymentId);
    return this.#world.need('charge', intent?.latest_charge ?? paymentId);
  }

  /** Does something to an object in the time of its customer. */
  #actFor<T>(id: string, run: () => T): T {
    return this.#act(() => this.#world.inTimeOf(this.#world.customerOf(id), run));
  }

  #act<T>(run: () => T): T {
    const result = run();
    this.#world.changed();
    return result;
  }
}
