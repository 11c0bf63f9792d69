import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until the condition holds; a test that waits in vain says for what. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  what = condition.toString(),
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) {
      throw new Error(`Waited ${timeoutMs} ms in vain for: ${what}`);
    }
    await sleep(15);
  }
}
