import Stripe from 'stripe';
import { expect } from 'vitest';
import type { AccountSettings } from '../../src/index.ts';
import { at, eventLine, eventsSince, invoiceLine, type Scene, setScene, stateOf } from './scene.ts';

/** One row of a story: the clock moves, somebody does something, and this is what came of it. */
export interface Step {
  /** Where the clock moves to first. */
  at?: string;
  does?: (scene: Scene) => Promise<unknown>;
  /** How a request of `does` is refused: the error's code, or words of its message. */
  refused?: string;
  /** The subscription after that. */
  is?: string;
  /** The invoices that were made in this step, oldest first. */
  bills?: string[];
  /** The events of this step that are about the subscription, schedule or customer in question, in their order. */
  events?: string[];
  /** Anything else that has to be so. */
  and?: (scene: Scene) => Promise<unknown>;
}

/** Events about what is on no test clock. */
const OFF_CLOCK = /^(test_helpers|product|price|coupon|promotion_code)\b/;

/** A subscription's life in a table. */
export interface Story {
  title: string;
  /** When it begins. */
  from: string;
  card?: string | null;
  account?: Partial<AccountSettings>;
  /** What is subscribed to, such as `20/month`; several make several items. */
  to?: string[];
  with?: Omit<Stripe.SubscriptionCreateParams, 'customer' | 'items'>;
  steps: Step[];
}

async function begin(scene: Scene, story: Story): Promise<void> {
  if (story.to === undefined) return;
  const items = await Promise.all(story.to.map(async (name) => ({ price: await scene.price(name) })));
  const made = await scene.stripe.subscriptions.create({ customer: scene.customer, items, ...story.with });
  scene.subscription = made.id;
}

async function act(scene: Scene, step: Step): Promise<void> {
  try {
    await step.does?.(scene);
  } catch (error) {
    if (step.refused === undefined || !(error instanceof Stripe.errors.StripeError)) throw error;
    expect([error.code, error.message].join(' ')).toContain(step.refused);
    return;
  }
  expect(step.refused, 'a request that should have been refused').toBeUndefined();
}

/** Plays a story through, and compares after each step. */
export async function play(story: Story): Promise<void> {
  const scene = await setScene(story.from, {
    ...(story.card === undefined ? {} : { card: story.card }),
    ...(story.account === undefined ? {} : { account: story.account }),
  });
  let before = at(story.from);
  let last = (await eventsSince(scene, undefined)).at(-1)?.id;
  const seen = new Set<string>();
  for (const [index, step] of story.steps.entries()) {
    const where = `${story.title}, step ${index + 1}`;
    if (index === 0) await begin(scene, story);
    const now = step.at === undefined ? before : at(step.at);
    if (now > before) await scene.stripe.testHelpers.testClocks.advance(scene.clock, { frozen_time: now });
    await act(scene, step);
    const events = await eventsSince(scene, last);
    last = events.at(-1)?.id ?? last;
    const invoices = events.flatMap(({ type, data }) =>
      type === 'invoice.created' ? [data.object as Stripe.Invoice] : [],
    );
    // On a test clock an event carries the time at which it would have happened, and time never goes back.
    const times = events.filter(({ type }) => !OFF_CLOCK.test(type)).map(({ created }) => created);
    expect(times, where).toEqual([...times].sort((a, b) => a - b));
    for (const time of times) expect(time >= before && time <= now, `${where}: an event at ${time}`).toBe(true);
    const bills = await Promise.all(
      invoices.filter(({ id }) => !seen.has(id)).map(async ({ id }) => await scene.stripe.invoices.retrieve(id)),
    );
    for (const { id } of bills) seen.add(id);
    if (step.bills !== undefined) expect(bills.map(invoiceLine), where).toEqual(step.bills);
    if (step.is !== undefined) expect(await stateOf(scene), where).toBe(step.is);
    if (step.events !== undefined) {
      const about = events.filter(({ type }) =>
        /^(customer\.(subscription|discount)|subscription_schedule)\./.test(type),
      );
      expect(about.map(eventLine), where).toEqual(step.events);
    }
    await step.and?.(scene);
    before = now;
  }
  expect([...scene.problems], story.title).toEqual([]);
}
