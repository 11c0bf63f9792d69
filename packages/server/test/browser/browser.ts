/** A real Chromium. */
import { type Browser, chromium } from 'playwright-core';
import { chromiumPath } from './chromium.ts';

/**
 * The flags of the package from npm are for lambdas and are not taken: with `--single-process` a request of one context's
 * page may carry the cookies of another's, and `--disable-web-security` switches off what the pages rely on.
 */
const FLAGS = ['--no-sandbox', '--disable-dev-shm-usage'];

export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: await chromiumPath(), args: FLAGS });
}
