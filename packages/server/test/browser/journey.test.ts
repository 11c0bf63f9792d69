import { afterAll, beforeAll, expect, test } from 'vitest';
import { feature, untilFeature, type Visit, visit } from './service.ts';

let here: Visit;

beforeAll(async () => {
  here = await visit();
});

afterAll(() => here.close());

test('a newcomer buys, sees it turn on and why, cancels, grants and revokes', async () => {
  const { page, complaints } = await here.newcomer();
  await untilFeature(page, 'pro_export', false);

  await page.getByLabel('Pro, monthly').check();
  await page.getByRole('button', { name: 'Go to the checkout' }).click();
  expect(new URL(page.url()).origin).toBe(here.service.sandboxUrl);
  expect(await page.getByText('No real money moves here').isVisible()).toBe(true);
  expect(await page.locator('.price').innerText()).toBe('$12.00');
  const email = page.getByLabel('E-mail');
  if (await email.count()) await email.fill('ada@example.com');
  await page.getByLabel('Card number').fill('4242 4242 4242 4242');
  await page.getByRole('button', { name: 'Subscribe' }).click();

  await page.waitForURL(/did=bought/);
  expect(await page.getByText('What it unlocks is on.').isVisible()).toBe(true);
  await untilFeature(page, 'pro_export', true);
  expect(await feature(page, 'projects').locator('.tag').innerText()).toBe('20');
  expect(await feature(page, 'seats').locator('.tag').innerText()).toBe('off');

  await page.getByLabel('Feature').first().selectOption({ label: 'Export as PDF' });
  await page.getByRole('button', { name: 'Explain' }).click();
  const why = page.locator('#why');
  expect(await why.innerText()).toMatch(/Export as PDF: yes/);
  expect(await why.innerText()).toMatch(/Subscription to Sketchbook Pro/);
  expect(await why.innerText()).toMatch(/slack until the renewal is confirmed/);

  await page.getByRole('button', { name: 'Open the portal' }).click();
  await page.getByRole('heading', { name: 'Your billing' }).waitFor();
  expect(await page.getByText('Renews on').isVisible()).toBe(true);
  await page.getByText('Cancel this plan').click();
  await page.getByRole('button', { name: 'Cancel the plan' }).click();
  await page.getByText(/Ends on .* and will not renew/).waitFor();
  await page.getByRole('link', { name: 'Back to the app' }).click();
  await page.getByText('The subscription will not renew').waitFor();
  await untilFeature(page, 'pro_export', true);

  await page.getByLabel('What', { exact: true }).selectOption({ label: 'Priority support' });
  await page.getByRole('button', { name: 'Grant', exact: true }).click();
  await page.getByText('Granted. It holds from now on.').waitFor();
  await untilFeature(page, 'priority_support', true);
  expect(await page.getByText('grant.created').isVisible()).toBe(true);

  await page.getByRole('button', { name: 'Revoke the grants' }).click();
  await page.getByText('Revoked. Nothing else gives the feature').waitFor();
  await untilFeature(page, 'priority_support', false);
  await untilFeature(page, 'pro_export', true);
  expect(complaints).toEqual([]);
});

test('a grant that is revoked takes nothing away from what was bought', async () => {
  const { page } = await here.newcomer();
  await page.getByLabel('Export for life').check();
  await page.getByRole('button', { name: 'Go to the checkout' }).click();
  const email = page.getByLabel('E-mail');
  if (await email.count()) await email.fill('grace@example.com');
  await page.getByRole('button', { name: 'Pay $49.00' }).click();
  await page.waitForURL(/did=bought/);
  await untilFeature(page, 'pro_export', true);
  await page.getByLabel('What', { exact: true }).selectOption({ label: 'Export as PDF' });
  await page.getByRole('button', { name: 'Grant', exact: true }).click();
  await page.getByText('Granted. It holds from now on.').waitFor();
  await page.locator('#revoke').selectOption({ label: 'Export as PDF' });
  await page.getByRole('button', { name: 'Revoke the grants' }).click();
  await page.getByText('Something else still gives the feature').waitFor();
  await untilFeature(page, 'pro_export', true);
  expect(await page.locator('#why').innerText()).toMatch(/Purchase/);
});

test('the page follows what happens elsewhere without being reloaded', async () => {
  const { page } = await here.newcomer();
  const [cookie] = (await page.context().cookies()).filter(({ name }) => name === 'tollgate_demo_customer');
  await untilFeature(page, 'seats', false);
  const granted = await fetch(`${here.service.url}/api/v1/admin/grant`, {
    method: 'POST',
    headers: { authorization: `Bearer ${here.service.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      project_id: here.service.demo?.projectId,
      customer_id: cookie?.value,
      feature: 'seats',
      value: 7,
      reason: 'From a shell',
    }),
  });
  expect(granted.status).toBe(201);
  await untilFeature(page, 'seats', true);
  expect(await feature(page, 'seats').locator('.tag').innerText()).toBe('7');
});

test('the curl lines on the page work as they stand', async () => {
  const { page } = await here.newcomer();
  const lines = await page.locator('pre').allTextContents();
  expect(lines).toHaveLength(9);
  const check = lines.find((line) => line.includes('/check?'));
  const url = /curl '([^']+)'/.exec(check ?? '')?.[1] ?? '';
  const authorization = /Authorization: ([^']+)'/.exec(check ?? '')?.[1] ?? '';
  const answer = await fetch(url, { headers: { authorization } });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ object: 'decision', feature: 'pro_export', entitled: false });
});
