/** Which Chromium the tests look through: the system's where there is one, else the one from npm. */
import { existsSync } from 'node:fs';
import sparticuz from '@sparticuz/chromium';

const SYSTEM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export async function chromiumPath(): Promise<string> {
  return SYSTEM.find((file) => existsSync(file)) ?? (await sparticuz.executablePath());
}

/** Vitest global setup: the one from npm is unpacked once, before two test files could start it half written. */
export default async function setup(): Promise<void> {
  await chromiumPath();
}
