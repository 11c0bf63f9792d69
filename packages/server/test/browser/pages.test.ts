/** The sandbox's hosted pages beyond what the demo leads to, with the sessions made as an app would make them. */
import Stripe from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Visit, visit } from './service.ts';

let here: Visit;
let stripe: Stripe;
let seats: Stripe.Price;

beforeAll(async () => {
  here = await visit();
  const { hostname, port } = new URL(here.service.sandboxUrl ?? '');
  stripe = new Stripe('sk_test_pages', { host: hostname, port, protocol: 'http' });
  const product = await stripe.products.create({ name: 'Atlas' });
  const recurring = { interval: 'month' } as const;
  seats = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 900, recurring });
});

afterAll(() => here.close());

function session(extra: Partial<Stripe.Checkout.SessionCreateParams>): Promise<Stripe.Checkout.Session> {
  const urls = { success_url: `${here.service.url}/ready`, cancel_url: `${here.service.url}/` };
  return stripe.checkout.sessions.create({ mode: 'subscription', ...urls, ...extra });
}

test('a quantity and a promotion code change the total before anything is paid, and Enter pays', async () => {
  const coupon = await stripe.coupons.create({ percent_off: 50, duration: 'once', name: 'Autumn' });
  await stripe.promotionCodes.create({ promotion: { type: 'coupon', coupon: coupon.id }, code: 'AUTUMN' });
  const adjustable_quantity = { enabled: true, minimum: 2, maximum: 10 };
  const { id, url } = await session({
    line_items: [{ price: seats.id, quantity: 2, adjustable_quantity }],
    allow_promotion_codes: true,
  });
  const { page, complaints } = await here.newcomer({ viewport: { width: 390, height: 800 } });
  await page.goto(url ?? '');
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByLabel('Quantity').fill('11');
  await page.getByRole('button', { name: 'Update' }).click();
  await page.getByText('Give a whole number from 2 to 10.').waitFor();
  expect(await page.getByLabel('Quantity').getAttribute('aria-invalid')).toBe('true');
  await page.getByLabel('Quantity').fill('4');
  await page.getByRole('button', { name: 'Update' }).click();
  await page.locator('.price', { hasText: '$36.00' }).waitFor();
  await page.getByLabel('Promotion code').fill('AUTUMN');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.locator('.price', { hasText: '$18.00' }).waitFor();
  expect(await page.getByText('Then $36.00 per month').isVisible()).toBe(true);
  expect(await page.getByLabel('E-mail').inputValue()).toBe('ada@example.com');
  await here.shot(page, 'checkout-quantity-and-code');
  await page.getByLabel('Security code').press('Enter');
  await page.waitForURL(/\/ready$/);
  expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'complete', amount_total: 1800 });
  // The browser itself reports the 400 of the quantity.
  expect(complaints.filter((complaint) => !complaint.includes('400'))).toEqual([]);
});

test('the portal shows what more seats cost, charges that, and asks why somebody cancels', async () => {
  const customer = await stripe.customers.create({ email: 'grace@example.com' });
  const { url: checkout } = await session({ customer: customer.id, line_items: [{ price: seats.id, quantity: 2 }] });
  const configuration = await stripe.billingPortal.configurations.create({
    features: {
      invoice_history: { enabled: true },
      subscription_cancel: { enabled: true, cancellation_reason: { enabled: true, options: ['unused', 'other'] } },
      subscription_update: {
        enabled: true,
        default_allowed_updates: ['quantity'],
        products: [
          { product: seats.product as string, prices: [seats.id], adjustable_quantity: { enabled: true, maximum: 9 } },
        ],
        proration_behavior: 'always_invoice',
      },
    },
  });
  const { page } = await here.newcomer({ colorScheme: 'dark' });
  await page.goto(checkout ?? '');
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await page.waitForURL(/\/ready$/);
  const portal = await stripe.billingPortal.sessions.create({ customer: customer.id, configuration: configuration.id });
  await page.goto(portal.url);
  await page.getByText('Change the quantity').click();
  await page.getByLabel('Quantity').fill('3');
  await page.getByRole('button', { name: 'See what it costs' }).click();
  await page.getByText('Charged now').waitFor();
  await here.shot(page, 'portal-preview');
  const due = await page.locator('.total .num').innerText();
  await page.getByRole('button', { name: 'Confirm the change' }).click();
  await page.getByRole('heading', { name: 'Atlas × 3' }).waitFor();
  expect(await page.getByRole('row').nth(1).innerText()).toContain(due);
  await page.getByText('Cancel this plan').click();
  await page.getByLabel('Why?').selectOption('unused');
  await page.getByRole('button', { name: 'Cancel the plan' }).click();
  await page.getByText(/Ends on .* and will not renew/).waitFor();
  const [subscription] = (await stripe.subscriptions.list({ customer: customer.id })).data;
  expect(subscription?.cancellation_details?.feedback).toBe('unused');
  await page.getByRole('button', { name: 'Keep the plan' }).click();
  await page.getByText('The plan goes on.').waitFor();
});

test('a bank debit is under way until the control page settles it, and a mistake in the faults stands at its field', async () => {
  const price = await stripe.prices.create({ product: seats.product as string, currency: 'eur', unit_amount: 5000 });
  const { id, url } = await session({ mode: 'payment', line_items: [{ price: price.id, quantity: 1 }] });
  const { page } = await here.newcomer();
  await page.goto(url ?? '');
  await page.getByLabel('E-mail').fill('debit@example.com');
  await page.getByRole('button', { name: 'DE89 3704 0044 0532 0130 00' }).click();
  await page.getByRole('button', { name: 'Pay €50.00' }).click();
  await page.waitForURL(/\/ready$/);
  expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ payment_status: 'unpaid' });
  await page.goto(`${here.service.sandboxUrl}/`);
  await page.getByRole('button', { name: 'Settle' }).click();
  await page.getByText('The payment is no longer under way.').waitFor();
  expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ payment_status: 'paid' });
  await page.getByLabel('Drop an event').fill('7');
  await page.getByRole('button', { name: 'Set', exact: true }).click();
  await page.getByText('Give a number from 0 to 1.').waitFor();
  expect(await page.getByLabel('Drop an event').inputValue()).toBe('7');
  await here.shot(page, 'control');
});
