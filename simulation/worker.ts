/** A process that runs seeds, one after the other, and tells its parent of each: `node worker.ts`, over IPC. */

import { BUGS } from './bugs.ts';
import { createDatabase, dropDatabase } from './engine/databases.ts';
import { installHooks } from './hooks.ts';
import type { SeedOptions, SeedResult } from './run-seed.ts';
import { shareSerializers } from './virtual/serializers.ts';

export interface Order extends Omit<SeedOptions, 'databaseUrl' | 'only' | 'without' | 'trace'> {
  serverUrl: string;
  only: number[] | null;
  without: string[];
  trace: boolean;
}

export type Report = { ready: true } | { seed: string; result: SeedResult } | { seed: string; crash: string };

const bug = process.env.SIMULATION_BUG;
const planted = bug === undefined ? null : BUGS.find(({ name }) => name === bug);
if (planted === undefined) throw new Error(`There is no bug ${bug} to plant.`);
installHooks(planted);
shareSerializers();
const { runSeed } = await import('./run-seed.ts');

process.on('message', (order: Order) => {
  void run(order);
});
process.on('disconnect', () => process.exit(0));
// A process of the service that dies in the simulation leaves work behind that nobody waits for.
process.on('unhandledRejection', (error) => {
  process.send?.({
    seed: '',
    crash: `A rejection that nobody handled: ${error instanceof Error ? error.stack : error}`,
  } satisfies Report);
});
process.send?.({ ready: true } satisfies Report);

async function run({ serverUrl, only, without, trace, ...order }: Order): Promise<void> {
  const name = `simulation_${process.pid}`;
  try {
    const databaseUrl = await createDatabase(serverUrl, name);
    const result = await runSeed({
      ...order,
      databaseUrl,
      only: only === null ? null : new Set(only),
      without: new Set(without),
      trace: trace ? (line) => process.stdout.write(`${line}\n`) : undefined,
    });
    await dropDatabase(serverUrl, name);
    process.send?.({ seed: order.seed, result } satisfies Report);
  } catch (error) {
    process.send?.({
      seed: order.seed,
      crash: error instanceof Error ? (error.stack ?? error.message) : String(error),
    } satisfies Report);
  }
}
