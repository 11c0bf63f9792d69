/** While Stripe asks for patience (`Retry-After`), nothing is fetched over that connection: the limit is the account's. */
export interface QuietPeriods {
  begin(connectionId: string, ms: number): void;
  /** Milliseconds until it is over; 0 when there is none. */
  leftMs(connectionId: string): number;
}

/** Of this process; another one hears it from Stripe itself. */
export function createQuietPeriods(now: () => number = () => performance.now()): QuietPeriods {
  const ends = new Map<string, number>();
  return {
    begin: (connectionId, ms) => {
      ends.set(connectionId, Math.max(ends.get(connectionId) ?? 0, now() + ms));
    },
    leftMs: (connectionId) => Math.max(0, (ends.get(connectionId) ?? 0) - now()),
  };
}
