/** A real Chromium: the system's where there is one, else the one from npm. */
import { existsSync } from 'node:fs';
import sparticuz from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

const SYSTEM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/**
 * The package's own flags are for lambdas and are not taken: with `--single-process` a request of one context's page
 * may carry the cookies of another's, and `--disable-web-security` switches off what the pages rely on.
 */
const FLAGS = ['--no-sandbox', '--disable-dev-shm-usage'];

export async function launchBrowser(): Promise<Browser> {
  const executablePath = SYSTEM.find((file) => existsSync(file)) ?? (await sparticuz.executablePath());
  return await chromium.launch({ executablePath, args: FLAGS });
}
