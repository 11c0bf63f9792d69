/** `node:timers/promises` in simulated time. */
export { sleep as setTimeout } from './time.ts';
