import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilFeature, type Visit, visit } from './service.ts';

let here: Visit;

beforeAll(async () => {
  here = await visit();
});

afterAll(() => here.close());

async function buys(plan: string): Promise<Page> {
  const { page } = await here.newcomer();
  await page.getByLabel(plan).check();
  await page.getByRole('button', { name: 'Go to the checkout' }).click();
  await page.locator('form button.primary').click();
  await page.waitForURL(/did=bought/);
  await untilFeature(page, 'pro_export', true);
  return page;
}

test("a refund on the sandbox's page turns off what was bought, while somebody looks", async () => {
  const page = await buys('Export for life');
  const control = await page.context().newPage();
  await control.goto(`${here.service.sandboxUrl}/`);
  await control.getByRole('button', { name: 'Refund' }).first().click();
  await control.getByText('The payment was refunded.').waitFor();
  await untilFeature(page, 'pro_export', false);
  expect(await page.locator('#state').innerText()).toContain('the payment was refunded');
});

test('a dispute that is won gives back what it took', async () => {
  const page = await buys('Export for life');
  const control = await page.context().newPage();
  await control.goto(`${here.service.sandboxUrl}/`);
  await control.getByRole('button', { name: 'Dispute' }).first().click();
  await untilFeature(page, 'pro_export', false);
  await control.getByRole('button', { name: 'Win' }).first().click();
  await untilFeature(page, 'pro_export', true);
});

// The last: it moves the clock for everybody.
test('what was canceled ends when its period does, and what was not goes on', async () => {
  const canceled = await buys('Pro, monthly');
  const goesOn = await buys('Pro, monthly');
  await canceled.getByRole('button', { name: 'Open the portal' }).click();
  await canceled.getByText('Cancel this plan').click();
  await canceled.getByRole('button', { name: 'Cancel the plan' }).click();
  await canceled.getByRole('link', { name: 'Back to the app' }).click();
  await canceled.getByText('The subscription will not renew').waitFor();
  const control = await canceled.context().newPage();
  await control.goto(`${here.service.sandboxUrl}/`);
  await control.getByRole('button', { name: '+1 month' }).click();
  await control.getByRole('button', { name: '+1 day' }).click();
  await control.getByText(/ahead/).waitFor();
  await untilFeature(canceled, 'pro_export', false);
  await untilFeature(goesOn, 'pro_export', true);
  await goesOn.reload();
  await untilFeature(goesOn, 'pro_export', true);
});
