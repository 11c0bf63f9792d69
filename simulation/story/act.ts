/** What every act knows: who does it, in which project, with whose chance; and what this person has at Stripe. */
import type { Answer } from '../engine/process.ts';
import { keyOf, type Person } from '../model/ledger.ts';
import type { Random } from '../virtual/random.ts';
import type { Price, Project, Stage } from './stage.ts';
import type { Operation } from './story.ts';

export interface Act extends Stage {
  operation: Operation;
  random: Random;
  person: Person;
  project: Project;
}

/** In quiet worlds most people pay once a year; in busy ones renewals come often. */
export function choose({ random, story }: Act, prices: readonly Price[]): Price {
  if (prices[0]?.interval === null) return random.pick(prices);
  const interval = random.weighted(
    story.pace < 0.5 ? { week: 1, month: 9, year: 90 } : { week: 15, month: 55, year: 30 },
  );
  return random.pick(prices.filter((price) => price.interval === interval));
}

/** What is paid for again and again. */
export function recurring({ project }: Act): Price[] {
  return project.prices.filter(({ interval }) => interval !== null);
}

export function stripeCustomers({ ledger, person, universe }: Act): string[] {
  const mine: string[] = [];
  for (const [customer, owner] of ledger.owners) {
    if (keyOf(owner) === keyOf(person) && universe.world.store.get('customer', customer) !== undefined)
      mine.push(customer);
  }
  return mine;
}

/** All Stripe customers who pay for something of theirs, attached ones among them. */
export function payers(act: Act): string[] {
  return [...stripeCustomers(act), ...act.ledger.payersFor(act.person)];
}

export function subscriptions(act: Act) {
  return payers(act).flatMap((customer) =>
    act.universe.world.store
      .all('subscription', { key: 'customer', value: customer })
      .filter(({ status }) => status !== 'canceled' && status !== 'incomplete_expired'),
  );
}

export function pickSubscription(act: Act) {
  const standing = subscriptions(act);
  return standing.length === 0 ? undefined : act.random.pick(standing);
}

export function describe({ project }: Act, price: Price): string {
  return `plan ${project.prices.indexOf(price) + 1} (${price.interval ?? 'once'}, ${price.id})`;
}

export function refused(what: string, { status, body }: Answer): string {
  return `${what} is refused: ${status} ${body?.code ?? ''}`;
}
