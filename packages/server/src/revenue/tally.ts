import { add, type Money, monthlyRevenueOf, type Rational, round, type SubscriptionFact, ZERO } from '@tollgate/core';

/** The figures of one project, or of several together. */
export interface Figures {
  activeSubscriptions: number;
  trialingSubscriptions: number;
  pastDueSubscriptions: number;
  /** Everyone that the project knows, whether or not they ever bought anything. */
  customers: number;
  /** Those who are entitled to at least one feature now. */
  entitledCustomers: number;
  /** Per currency, sorted; a currency without revenue is left out. */
  mrr: Money[];
}

/** Adds up figures one fact at a time. Amounts stay exact until they are read, so that they are rounded once. */
export class Tally {
  #active = 0;
  #trialing = 0;
  #pastDue = 0;
  #customers = 0;
  #entitled = 0;
  readonly #revenue = new Map<string, Rational>();

  subscription(fact: SubscriptionFact): void {
    if (fact.status === 'active') this.#active += 1;
    if (fact.status === 'trialing') this.#trialing += 1;
    if (fact.status === 'past_due') this.#pastDue += 1;
    for (const [currency, amount] of monthlyRevenueOf(fact)) this.#addRevenue(currency, amount);
  }

  customers(count: number): void {
    this.#customers += count;
  }

  entitledCustomer(): void {
    this.#entitled += 1;
  }

  /** Adds everything of another tally to this one. */
  include(other: Tally): void {
    this.#active += other.#active;
    this.#trialing += other.#trialing;
    this.#pastDue += other.#pastDue;
    this.#customers += other.#customers;
    this.#entitled += other.#entitled;
    for (const [currency, amount] of other.#revenue) this.#addRevenue(currency, amount);
  }

  figures(): Figures {
    return {
      activeSubscriptions: this.#active,
      trialingSubscriptions: this.#trialing,
      pastDueSubscriptions: this.#pastDue,
      customers: this.#customers,
      entitledCustomers: this.#entitled,
      mrr: [...this.#revenue]
        .map(([currency, sum]) => ({ currency, amount: round(sum) }))
        .filter(({ amount }) => amount !== 0)
        .sort((a, b) => (a.currency < b.currency ? -1 : 1)),
    };
  }

  #addRevenue(currency: string, amount: Rational): void {
    this.#revenue.set(currency, add(this.#revenue.get(currency) ?? ZERO, amount));
  }
}
