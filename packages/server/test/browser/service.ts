/** The service as a newcomer starts it: embedded database, embedded sandbox, demo project; and a browser on it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { parseConfig } from '../../src/config.ts';
import { createLog } from '../../src/platform/log.ts';
import { type Started, start } from '../../src/start.ts';
import { launchBrowser } from './browser.ts';

export interface Visit {
  service: Started;
  browser: Browser;
  /** A page of somebody whom the demo has not seen, and the complaints of the browser about it. */
  newcomer(options?: Parameters<Browser['newContext']>[0]): Promise<{ page: Page; complaints: string[] }>;
  /** Keeps a picture of the whole page in a temporary folder, for who wants to look at it. */
  shot(page: Page, name: string): Promise<void>;
  close(): Promise<void>;
}

const SHOTS = path.join(tmpdir(), 'tollgate-shots');

export async function visit(): Promise<Visit> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tollgate-browser-'));
  const config = parseConfig({ TOLLGATE_DATA_DIR: dataDir, PORT: '0', SANDBOX_PORT: '0' });
  const service = await start(config, { log: createLog(process.env.TEST_LOG_LEVEL ?? 'silent') });
  const browser = await launchBrowser();
  return {
    service,
    browser,
    newcomer: async (options) => {
      const context = await browser.newContext(options);
      context.setDefaultTimeout(30_000);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      await page.goto(`${service.url}/`);
      await page.getByRole('button', { name: 'Start again as somebody else' }).click();
      await page.getByRole('heading', { name: /^What ada_[0-9a-f]{6} may do now$/ }).waitFor();
      return { page, complaints };
    },
    shot: async (page, name) => {
      await page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true });
    },
    close: async () => {
      await browser.close();
      await service.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** One feature of the list “What … may do now”. */
export function feature(page: Page, code: string) {
  return page.locator(`#state [data-feature="${code}"]`);
}

/** Waits until the list says whether a feature is on, without reloading the page. */
export async function untilFeature(page: Page, code: string, entitled: boolean): Promise<void> {
  await page.locator(`#state [data-feature="${code}"][data-entitled="${entitled}"]`).waitFor();
}
