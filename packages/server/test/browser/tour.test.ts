import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilFeature, type Visit, visit } from './service.ts';

let here: Visit;

beforeAll(async () => {
  here = await visit();
});

afterAll(() => here.close());

/** Presses a button of the tour and waits until the page says what was done. */
async function make(page: Page, button: string, said: string): Promise<void> {
  await page.locator('#later').getByRole('button', { name: button }).first().click();
  await page.locator('#later').getByText(said).waitFor();
}

/** Waits until the explanation of the tour says something. */
async function untilExplained(page: Page, words: RegExp): Promise<void> {
  await page.locator('#effect').getByText(words).first().waitFor();
}

test('a customer is led through trial, failed renewal, grace, recovery, refund and dispute', async () => {
  const { page, complaints } = await here.newcomer();
  await page.getByRole('button', { name: 'Start a trial' }).click();
  expect(await page.getByText('14 days free').isVisible()).toBe(true);
  await page.getByRole('button', { name: 'Start the trial' }).click();
  await page.getByText('The trial has begun.').waitFor();
  await untilFeature(page, 'pro_export', true);
  await untilExplained(page, /Why: a trial/);
  await here.shot(page, 'tour-trial');

  await make(page, 'Let the next payment fail', 'The payment failed.');
  await untilExplained(page, /Why: grace while a payment is late/);
  await untilFeature(page, 'pro_export', true);
  await here.shot(page, 'tour-grace');

  await make(page, 'Let the grace run out', 'the days of grace are over');
  await untilFeature(page, 'pro_export', false);
  await untilExplained(page, /Why: the payment is too late/);

  await make(page, 'Pay what is owed', 'What was owed is paid.');
  await untilFeature(page, 'pro_export', true);
  await untilExplained(page, /Why: a paid period/);
  // Whichever of those that tell of the payment came first.
  await untilExplained(page, /invoice\.(paid|payment_succeeded|updated)|customer\.subscription\.updated/);

  await make(page, 'Let the period end', 'the next one has begun');
  await untilFeature(page, 'pro_export', true);
  await make(page, 'Refund', 'The payment was given back.');
  expect(await page.locator('#later').getByText('refunded', { exact: true }).count()).toBe(1);
  await make(page, 'Dispute', 'The customer disputes the payment.');
  await make(page, 'Win the dispute', 'The dispute is won');
  await here.shot(page, 'tour-end');
  expect(complaints).toEqual([]);
});

test('without a script a purchase that is disputed goes, comes back, and goes for good', async () => {
  const { page } = await here.newcomer({ javaScriptEnabled: false, viewport: { width: 390, height: 800 } });
  await page.getByLabel('Export for life').check();
  await page.getByRole('button', { name: 'Go to the checkout' }).click();
  await page.getByRole('button', { name: 'Pay $49.00' }).click();
  await page.waitForURL(/did=bought/);
  await make(page, 'Dispute $49.00', 'The customer disputes the payment.');
  await untilFeature(page, 'pro_export', false);
  await untilExplained(page, /Why: the payment is disputed/);
  await make(page, 'Win the dispute', 'The dispute is won');
  await untilFeature(page, 'pro_export', true);
  await here.shot(page, 'tour-purchase');
});
