import type { FastifyRequest } from 'fastify';
import { expect, test } from 'vitest';
import { curlLine } from '../../src/demo/curl.ts';
import { customerOf, FIRST_CUSTOMER, newCustomerCookie } from '../../src/demo/customer-cookie.ts';
import { type Explanation, explanationWords } from '../../src/demo/explanation.ts';
import { html } from '../../src/demo/html.ts';
import { isFromThisMachine, isOwnForm } from '../../src/demo/own-browser.ts';
import { statePanel } from '../../src/demo/panel.ts';
import type { CustomerNow, EntitlingSource } from '../../src/demo/state.ts';

function request(address: string, headers: Record<string, string>): FastifyRequest {
  return { socket: { remoteAddress: address }, headers } as unknown as FastifyRequest;
}

test('what stands in the page is escaped', () => {
  expect(html`<p title="${'"'}">${"<b>&'"}</p>`.text).toBe('<p title="&quot;">&lt;b&gt;&amp;&#39;</p>');
  expect(html`${[html`<i>`, 'a<b']}${null}${false}${0}`.text).toBe('<i>a&lt;b0');
});

test('a curl line survives quotes in what it sends', () => {
  const line = curlLine('http://127.0.0.1:3000', {
    method: 'POST',
    path: '/admin/grant',
    key: 'tg_admin_x',
    body: { reason: "Ada's outage" },
  });
  expect(line).toBe(
    `curl -X POST 'http://127.0.0.1:3000/api/v1/admin/grant' \\\n  -H 'Authorization: Bearer tg_admin_x' \\\n` +
      `  -H 'Content-Type: application/json' \\\n  -d '{"reason":"Ada'\\''s outage"}'`,
  );
});

test('the page answers this machine under a name of its own, and nobody else', () => {
  expect(isFromThisMachine(request('127.0.0.1', { host: '127.0.0.1:3000' }))).toBe(true);
  expect(isFromThisMachine(request('::ffff:127.0.0.1', { host: 'localhost:3000' }))).toBe(true);
  expect(isFromThisMachine(request('::1', { host: '[::1]:3000' }))).toBe(true);
  expect(isFromThisMachine(request('10.0.0.7', { host: '127.0.0.1:3000' }))).toBe(false);
  expect(isFromThisMachine(request('127.0.0.1', { host: 'evil.example:3000' }))).toBe(false);
  expect(isFromThisMachine(request('127.0.0.1', {}))).toBe(false);
});

test("another site's form is refused, the page's own and a program's are taken", () => {
  const host = '127.0.0.1:3000';
  expect(isOwnForm(request('127.0.0.1', { host, origin: 'http://127.0.0.1:3000' }))).toBe(true);
  expect(isOwnForm(request('127.0.0.1', { host, 'sec-fetch-site': 'same-origin' }))).toBe(true);
  expect(isOwnForm(request('127.0.0.1', { host }))).toBe(true);
  expect(isOwnForm(request('127.0.0.1', { host, origin: 'http://127.0.0.1:3001' }))).toBe(false);
  expect(isOwnForm(request('127.0.0.1', { host, origin: 'null' }))).toBe(false);
  expect(isOwnForm(request('127.0.0.1', { host, 'sec-fetch-site': 'same-site' }))).toBe(false);
  expect(isOwnForm(request('127.0.0.1', { host, 'sec-fetch-site': 'cross-site' }))).toBe(false);
});

test('a browser plays the customer of its cookie, and one that makes no sense counts as none', () => {
  const cookie = newCustomerCookie();
  const [pair = ''] = cookie.split(';');
  expect(customerOf(`other=1; ${pair}`)).toMatch(/^ada_[0-9a-f]{6}$/);
  expect(customerOf(undefined)).toBe(FIRST_CUSTOMER);
  expect(customerOf('tollgate_demo_customer=<script>')).toBe(FIRST_CUSTOMER);
});

const SOURCE = {
  type: 'subscription',
  id: 'sub_1',
  via: 'price_1',
  effect: 'allow' as const,
  value: null,
  unlimited: false,
  verdict: 'won',
  reason: 'subscription_active',
  windows: [
    { from: '2026-11-01T00:00:00.000Z', to: '2026-12-01T00:00:00.000Z', reason: 'subscription_active' },
    { from: '2026-12-01T00:00:00.000Z', to: '2026-12-04T00:00:00.000Z', reason: 'subscription_slack' },
  ],
  ended_at: null,
};

const OLD = { from: '2026-09-01T00:00:00.000Z', to: '2026-10-01T00:00:00.000Z', reason: 'subscription_active' };

const EXPLANATION: Explanation = {
  feature: 'pro_export',
  entitled: true,
  reason: 'subscription_active',
  as_of: '2026-11-10T00:00:00.000Z',
  valid_to: '2026-12-04T00:00:00.000Z',
  next_change_at: '2026-12-01T00:00:00.000Z',
  sources: [{ ...SOURCE, id: 'sub_0', verdict: 'ended', windows: [OLD], ended_at: OLD.to }, SOURCE],
};

test('an explanation says yes or no, names what decides first, and marks the window of now', () => {
  const text = explanationWords(EXPLANATION, new Map([['price_1', 'Pro, monthly']])).text;
  expect(text).toContain('Export as PDF: yes');
  expect(text).toContain('until 4 Dec 2026, 00:00');
  expect(text).toContain('slack until the renewal is confirmed');
  expect(text).toContain('Pro, monthly');
  expect(text.indexOf('sub_1')).toBeLessThan(text.indexOf('sub_0'));
  expect(text.match(/, now</g)).toHaveLength(1);
});

test('an explanation without any source says so', () => {
  const explanation = { ...EXPLANATION, entitled: false, reason: 'no_source', valid_to: null, sources: [] };
  const text = explanationWords(explanation, new Map()).text;
  expect(text).toContain('Export as PDF: no');
  expect(text).toContain('nothing bought or granted gives it');
});

test('an explanation names what a subscription is to, and what a purchase is of', () => {
  const purchase = { ...SOURCE, type: 'purchase', id: 'pi_1', reason: 'purchase' };
  const text = explanationWords({ ...EXPLANATION, sources: [SOURCE, purchase] }, new Map([['price_1', 'Pro']])).text;
  expect(text).toContain('Subscription <span class="soft">to Pro</span>');
  expect(text).toContain('Purchase <span class="soft">of Pro</span>');
});

test('the list says when a paid period renews, not when the slack after it ends', () => {
  const renewing = { type: 'subscription', id: 'sub_1', reason: 'subscription_active', will_renew: true };
  const panel = (sources: EntitlingSource[]) => {
    const known = { code: 'pro_export', name: 'Export as PDF', type: 'boolean', description: '' } as const;
    const decision = { feature: 'pro_export', entitled: true, value: null, unlimited: false };
    const until = { reason: 'subscription_active', valid_to: '2026-12-04T00:00:00.000Z' };
    const now: CustomerNow = {
      customerId: 'ada',
      version: 1,
      nextChangeAt: '2026-12-01T00:00:00.000Z',
      features: [{ ...decision, ...until, known, since: '2026-11-01T00:00:00.000Z', sources }],
    };
    return statePanel(now).text;
  };
  const monthly = { ...renewing, period_end: '2026-12-01T00:00:00.000Z' };
  const sooner = { ...renewing, id: 'sub_2', period_end: '2026-11-09T00:00:00.000Z' };
  expect(panel([monthly, sooner])).toContain('a paid period, on since 1 Nov 2026, 00:00, renews on 1 Dec 2026, 00:00<');
  expect(panel([monthly])).toContain('Changes by itself on 1 Dec 2026, 00:00.');
  expect(panel([{ ...monthly, will_renew: false }])).toContain(
    'a paid period, on since 1 Nov 2026, 00:00, until 4 Dec 2026, 00:00',
  );
});
