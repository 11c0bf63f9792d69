/** `node:crypto` with its randomness from the seed. */
import { randomBytes, serviceRandom } from './random.ts';

export * from 'node:crypto';
export { randomBytes };

export function randomUUID(): string {
  const hex = randomBytes(16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

export function randomInt(limit: number): number {
  return serviceRandom.below(limit);
}
