import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilFeature, type Visit, visit } from './service.ts';

let here: Visit;

beforeAll(async () => {
  here = await visit();
});

afterAll(() => here.close());

async function atTheCheckout(options?: Parameters<Visit['newcomer']>[0]): Promise<Page> {
  const { page } = await here.newcomer(options);
  await page.getByRole('button', { name: 'Go to the checkout' }).click();
  const email = page.getByLabel('E-mail');
  if (await email.count()) await email.fill('ada@example.com');
  return page;
}

test('a declined card says so on the page, keeps what was typed, and another card then pays', async () => {
  const page = await atTheCheckout();
  await page.getByLabel('Card number').fill('4000 0000 0000 0002');
  await page.getByLabel('Security code').fill('987');
  await page.getByRole('button', { name: 'Subscribe' }).click();
  expect(await page.getByRole('alert').innerText()).toBe('Your card was declined.');
  expect(await page.getByLabel('Security code').inputValue()).toBe('987');
  await page.getByLabel('Card number').fill('4242 4242 4242 4242');
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await page.waitForURL(/did=bought/);
  await untilFeature(page, 'pro_export', true);
});

test('a number that is none is marked on its field', async () => {
  const page = await atTheCheckout();
  await page.getByLabel('Card number').fill('1234');
  await page.getByRole('button', { name: 'Subscribe' }).click();
  const field = page.getByLabel('Card number');
  expect(await field.getAttribute('aria-invalid')).toBe('true');
  const described = await field.getAttribute('aria-describedby');
  expect(await page.locator(`#${described}`).innerText()).toBe('Your card number is not valid.');
});

test('a card that asks the bank pays once it is confirmed, and does not when it is refused', async () => {
  const page = await atTheCheckout();
  await page.getByRole('button', { name: '4000 0025 0000 3155' }).click();
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await page.getByRole('heading', { name: 'Confirm with your bank' }).waitFor();
  await page.getByRole('button', { name: 'Refuse' }).click();
  expect(await page.getByRole('alert').innerText()).not.toBe('');
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.waitForURL(/did=bought/);
  await untilFeature(page, 'pro_export', true);
});

test('one pays with the keyboard alone, and Enter in a field pays', async () => {
  const { page } = await here.newcomer();
  await page.getByRole('button', { name: 'Go to the checkout' }).focus();
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.origin === here.service.sandboxUrl);
  const reached: string[] = [];
  for (let press = 0; press < 12 && reached.at(-1) !== 'card_number'; press += 1) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate<string>('document.activeElement.id || document.activeElement.textContent'));
    if (reached.at(-1) === 'email') await page.keyboard.type('ada@example.com');
  }
  expect(reached[0]).toContain('Leave without paying');
  expect(reached.at(-1)).toBe('card_number');
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('4242424242424242');
  await page.keyboard.press('Enter');
  await page.waitForURL(/did=bought/);
  await untilFeature(page, 'pro_export', true);
});

test('leaving the checkout leads back, and nothing was bought', async () => {
  const page = await atTheCheckout();
  await page.getByRole('link', { name: 'Leave without paying' }).click();
  await page.getByText('You left the checkout. Nothing was paid').waitFor();
  await untilFeature(page, 'pro_export', false);
});

test('the checkout works without any script', async () => {
  const page = await atTheCheckout({ javaScriptEnabled: false });
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await page.waitForURL(/did=bought/);
  await untilFeature(page, 'pro_export', true);
});
