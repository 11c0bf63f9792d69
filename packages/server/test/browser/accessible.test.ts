import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Visit, visit } from './service.ts';

let here: Visit;

beforeAll(async () => {
  here = await visit();
});

afterAll(() => here.close());

/** What is wrong with a page for whoever does not see it, or sees it on a small screen. Runs in the browser. */
const LOOK = `(() => {
  const wrong = [];
  const named = (element) =>
    element.labels?.length > 0 || element.getAttribute('aria-label') || element.textContent.trim() !== '';
  for (const element of document.querySelectorAll('input:not([type=hidden]), select, button, a, summary')) {
    if (!named(element)) wrong.push('no name: ' + element.outerHTML.slice(0, 80));
  }
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push('id twice: ' + id);
  for (const element of document.querySelectorAll('[aria-labelledby], [aria-describedby]')) {
    for (const name of ['aria-labelledby', 'aria-describedby']) {
      const id = element.getAttribute(name);
      if (id !== null && document.getElementById(id) === null) wrong.push(name + ' leads nowhere: ' + id);
    }
  }
  const levels = [...document.querySelectorAll('h1, h2, h3, h4')].map((heading) => Number(heading.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) wrong.push('not exactly one h1');
  levels.forEach((level, index) => {
    if (index > 0 && level > levels[index - 1] + 1) wrong.push('heading skips to h' + level);
  });
  if (document.documentElement.lang !== 'en') wrong.push('no language');
  if (document.title === '') wrong.push('no title');
  if (document.querySelectorAll('main').length !== 1) wrong.push('not exactly one main');
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('wider than the window');
  return wrong;
})()`;

/** The contrast of every text with what is behind it, where that is less than 4.5 to 1 (WCAG AA). */
const CONTRAST = `(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    if (!text || element.closest('style, script, option')) continue;
    const pair = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) faint.push(element.textContent.trim().slice(0, 30) + ' ' + ratio.toFixed(2));
  }
  return [...new Set(faint)];
})()`;

async function look(page: Page, what: string): Promise<void> {
  const wrong = [...(await page.evaluate<string[]>(LOOK)), ...(await page.evaluate<string[]>(CONTRAST))];
  expect(wrong, what).toEqual([]);
}

async function unfold(page: Page): Promise<void> {
  await page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true");
}

test.each([
  ['light', 1280],
  ['dark', 1280],
  ['light', 390],
  ['dark', 390],
] as const)('every page can be used by everybody: %s, %i pixels wide', async (colorScheme, width) => {
  const { page } = await here.newcomer({ colorScheme, viewport: { width, height: 800 } });
  await look(page, 'the demo');
  await page.getByRole('button', { name: 'Go to the checkout' }).click();
  await look(page, 'the checkout');
  await page.getByLabel('Card number').fill('4000 0000 0000 0002');
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await page.getByRole('alert').getByText('declined').waitFor();
  await look(page, 'the checkout after a decline');
  await page.getByLabel('Security code').fill('1');
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await look(page, 'the checkout with a mistake');
  await page.getByLabel('Security code').fill('123');
  await page.getByLabel('Card number').fill('4000 0025 0000 3155');
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await look(page, "the bank's question");
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.waitForURL(/did=bought/);
  await page.getByRole('button', { name: 'Explain' }).click();
  await unfold(page);
  await look(page, 'the demo with an explanation');
  await page.getByRole('button', { name: 'Open the portal' }).click();
  await unfold(page);
  await look(page, 'the portal');
  await page.getByLabel('$120.00 per year').check();
  await page.getByRole('button', { name: 'See what it costs' }).click();
  await look(page, 'the portal with what a change costs');
  await page.getByRole('link', { name: 'Back', exact: true }).click();
  await page.getByText('Cancel this plan').click();
  await page.getByRole('button', { name: 'Cancel the plan' }).click();
  await look(page, 'the portal after a cancellation');
  await page.goto(`${here.service.sandboxUrl}/`);
  await unfold(page);
  await look(page, 'the control page');
});
