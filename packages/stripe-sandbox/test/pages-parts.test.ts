import { expect, test } from 'vitest';
import { isCardNumber } from '../src/billing/cards.ts';
import { escapeHtml, html, safeLink } from '../src/pages/html.ts';
import { isOwnForm, type PageRequest } from '../src/pages/http.ts';
import { grouped, readCard } from '../src/pages/test-cards.ts';

const NOW = Date.UTC(2026, 10, 23) / 1000;

function read(fields: Record<string, string>) {
  return readCard(new URLSearchParams(fields), isCardNumber, NOW).errors;
}

test('text is escaped in a template, and a template inside another is not escaped twice', () => {
  expect(html`<b title="${'a"b'}">${html`<i>${'<&>'}</i>`}</b>`.text).toBe(
    '<b title="a&quot;b"><i>&lt;&amp;&gt;</i></b>',
  );
  expect(escapeHtml("'")).toBe('&#39;');
});

test('only web addresses become links', () => {
  expect(safeLink('https://app.example.com/back')).toBe('https://app.example.com/back');
  expect(safeLink('javascript:alert(1)')).toBeNull();
  expect(safeLink('data:text/html,x')).toBeNull();
  expect(safeLink('/relative')).toBeNull();
  expect(safeLink(null)).toBeNull();
});

test('a program may send the card number alone', () => {
  expect(read({ card_number: '4242424242424242' })).toEqual({});
});

test('a card number may be written in groups, and has to be one', () => {
  expect(read({ card_number: '4242 4242 4242 4242' })).toEqual({});
  expect(read({ card_number: '4242 4242 4242 4243' })).toHaveProperty('card_number');
  expect(read({})).toHaveProperty('card_number');
});

test('a card is good until the end of its month', () => {
  const card_number = '4242424242424242';
  expect(read({ card_number, expiry: '11 / 26' })).toEqual({});
  expect(read({ card_number, expiry: '1226' })).toEqual({});
  expect(read({ card_number, expiry: '10/2026' })).toEqual({ expiry: 'Your card has expired.' });
  expect(read({ card_number, expiry: '13/30' })).toHaveProperty('expiry');
  expect(read({ card_number, expiry: 'soon' })).toHaveProperty('expiry');
});

test('a security code has three or four digits', () => {
  const card_number = '4242424242424242';
  expect(read({ card_number, cvc: '1234' })).toEqual({});
  expect(read({ card_number, cvc: '12' })).toHaveProperty('cvc');
});

test('numbers are shown in groups of four', () => {
  expect(grouped('4242424242424242')).toBe('4242 4242 4242 4242');
});

test("a form of another site is told from the page's own", () => {
  const from = (headers: PageRequest['headers']) => isOwnForm({ method: 'POST', path: '/', headers, body: '' });
  const host = '127.0.0.1:3001';
  expect(from({ host })).toBe(true);
  expect(from({ host, origin: 'http://127.0.0.1:3001' })).toBe(true);
  expect(from({ host, origin: 'http://127.0.0.1:3000' })).toBe(false);
  expect(from({ host, origin: 'null' })).toBe(false);
  expect(from({ host, 'sec-fetch-site': 'cross-site' })).toBe(false);
});
