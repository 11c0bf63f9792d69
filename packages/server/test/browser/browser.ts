/** A real Chromium: the system's where there is one, else the one from npm. */
import { existsSync } from 'node:fs';
import sparticuz from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

const SYSTEM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export async function launchBrowser(): Promise<Browser> {
  const system = SYSTEM.find((file) => existsSync(file));
  if (system !== undefined) {
    return await chromium.launch({ executablePath: system, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  }
  return await chromium.launch({ executablePath: await sparticuz.executablePath(), args: sparticuz.args });
}
