/** `Math` with its randomness from the seed. */
import { serviceRandom } from './random.ts';

const RealMath = globalThis.Math;

// biome-ignore lint/suspicious/noShadowRestrictedNames: it stands for the global where it is imported
export const Math: typeof globalThis.Math = Object.assign(Object.create(RealMath), { random: serviceRandom.next });
