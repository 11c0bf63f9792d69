/** The only source of "now"; a parameter everywhere, so that tests and the simulation can move it. */
export interface Clock {
  /** Epoch milliseconds, UTC. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };
