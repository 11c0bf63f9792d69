/** From spawn to the first 200 of `/ready`: the very first start on an empty data directory, then on a warm one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startService } from './service.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 5);

const warm: number[] = [];
const first: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tollgate-bench-'));
  const cold = await startService({ dataDir, keepData: true });
  first.push(cold.startMs);
  await cold.stop();
  const again = await startService({ dataDir, keepData: true });
  warm.push(again.startMs);
  await again.stop();
  await rm(dataDir, { recursive: true, force: true });
}
const seconds = (samples: number[]) => {
  const sorted = samples.toSorted((a, b) => a - b).map((ms) => (ms / 1000).toFixed(2));
  return `median ${sorted[Math.floor(sorted.length / 2)]} s (${sorted.join(', ')})`;
};
process.stdout.write(`first start   ${seconds(first)}\nwarm start    ${seconds(warm)}\n`);
