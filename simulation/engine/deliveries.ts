/** The way of events from Stripe to the service: held back, doubled, lost, in any order; tried again until a 2xx. */

import { EVENT_TYPES } from '../../packages/server/src/inbox/event-types.ts';
import { signatureHeader } from '../../packages/stripe-sandbox/src/webhooks.ts';
import type { World } from '../../packages/stripe-sandbox/src/world.ts';
import { Random } from '../virtual/random.ts';
import { virtualTime } from '../virtual/time.ts';
import type { Chaos } from './chaos.ts';
import { type Process, ProcessDied, WEBHOOK_SECRET } from './process.ts';
import type { Source, Step } from './scheduler.ts';

type StripeEvent = Parameters<World['webhooks']['send']>[0];

interface Delivery {
  event: StripeEvent;
  body: string;
  at: number;
  attempt: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Stripe tries for three days. */
const RETRIES_MS = [5_000, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 12 * HOUR, 12 * HOUR, 12 * HOUR];

export interface DeliveryWatch {
  /** An event will never arrive. */
  lost(event: StripeEvent): void;
  /** The service says that it has it. */
  acknowledged(event: StripeEvent): void;
}

export class Deliveries implements Source {
  readonly #chaos: Chaos;
  readonly #processes: () => readonly Process[];
  readonly #watch: DeliveryWatch;
  readonly #random: Random;
  #waiting: Delivery[] = [];
  #underWay = 0;
  #last = { sentAt: Number.NaN, waitMs: 0 };

  constructor(seed: string, chaos: Chaos, processes: () => readonly Process[], watch: DeliveryWatch) {
    this.#random = new Random(`${seed}/deliveries`);
    this.#chaos = chaos;
    this.#processes = processes;
    this.#watch = watch;
  }

  /** Takes an event as Stripe sends it off; the snapshot in it stays as it is now. */
  send(event: StripeEvent): void {
    // Endpoints are asked for the types that somebody acts upon; a few others come all the same.
    if (!Object.hasOwn(EVENT_TYPES, event.type) && this.#random.chance(0.97)) return;
    const now = virtualTime.now();
    const dropped = this.#chaos.strikes('drop');
    if (dropped !== null) {
      this.#chaos.note('drop', now, `${event.type} ${event.id} is lost`);
      this.#watch.lost(event);
      return;
    }
    const body = JSON.stringify(event);
    this.#add(event, body);
    if (this.#chaos.strikes('duplicate') !== null) {
      this.#chaos.note('duplicate', now, `${event.type} ${event.id} comes twice`);
      this.#add(event, body);
    }
  }

  /** Brings everything that is on its way now. */
  hurry(): void {
    for (const delivery of this.#waiting) delivery.at = Math.min(delivery.at, virtualTime.now());
  }

  /** Events that have not arrived. */
  pending(): readonly StripeEvent[] {
    return this.#waiting.map(({ event }) => event);
  }

  busy(): boolean {
    return this.#waiting.length > 0 || this.#underWay > 0;
  }

  ready(): Step[] {
    const now = virtualTime.now();
    const due = this.#waiting.filter(({ at }) => at <= now);
    if (due.length === 0) return [];
    const process = this.#processes().find((candidate) => candidate.up);
    if (process === undefined) return [];
    return due.slice(0, 6).map((delivery) => ({
      owner: undefined,
      label: `deliver ${delivery.event.type}`,
      run: () => this.#deliver(delivery),
    }));
  }

  next(): number | null {
    let next: number | null = null;
    for (const { at } of this.#waiting) if (next === null || at < next) next = at;
    return next;
  }

  #add(event: StripeEvent, body: string): void {
    const now = virtualTime.now();
    // What one thing set off is often sent in one go.
    const together = this.#last.sentAt === now && this.#random.chance(0.8);
    let waitMs = together ? this.#last.waitMs : this.#random.below(3_000);
    this.#last = { sentAt: now, waitMs };
    const delay = this.#chaos.strikes('delay');
    if (delay !== null) {
      waitMs = delay.chance(0.3) ? delay.below(72 * HOUR) : delay.below(2 * HOUR);
      this.#chaos.note('delay', now, `${event.type} ${event.id} comes ${Math.round(waitMs / MINUTE)} minutes late`);
    }
    this.#waiting.push({ event, body, at: now + waitMs, attempt: 1 });
  }

  #deliver(delivery: Delivery): void {
    this.#waiting.splice(this.#waiting.indexOf(delivery), 1);
    this.#underWay += 1;
    const up = this.#processes().filter((candidate) => candidate.up);
    const process = this.#random.pick(up);
    const seconds = Math.floor(virtualTime.now() / 1000);
    const headers = {
      'content-type': 'application/json',
      'stripe-signature': signatureHeader(delivery.body, [WEBHOOK_SECRET], seconds),
    };
    process
      .request('POST', '/api/v1/webhooks/stripe', { body: delivery.body, headers })
      .then(({ status }) => status >= 200 && status < 300)
      .catch((error: unknown) => {
        if (error instanceof ProcessDied) return false;
        throw error;
      })
      .then((received) => {
        this.#underWay -= 1;
        if (received) this.#watch.acknowledged(delivery.event);
        else this.#again(delivery);
      });
  }

  #again(delivery: Delivery): void {
    const waitMs = RETRIES_MS[delivery.attempt - 1];
    if (waitMs === undefined) {
      this.#watch.lost(delivery.event);
      return;
    }
    this.#waiting.push({ ...delivery, attempt: delivery.attempt + 1, at: virtualTime.now() + waitMs });
  }
}
