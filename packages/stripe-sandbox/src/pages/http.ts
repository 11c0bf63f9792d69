import { crypto } from '../builtins.ts';
import type { Html } from './html.ts';
import { STYLE } from './style.ts';

/** A request as the pages see it. */
export interface PageRequest {
  method: string;
  /** With the query, as it came: `/c/pay/cs_test_…?x=y`. */
  path: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The form's text; empty for a GET. */
  body: string;
}

export interface PageResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const STYLE_HASH = crypto.createHash('sha256').update(STYLE).digest('base64');

/**
 * Nothing is loaded but the one stylesheet. There is no `form-action`: browsers apply it to redirects as well, and the
 * pay form ends at the address that the shop gave.
 */
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'`,
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Robots-Tag': 'noindex',
};

export function page(content: Html, status = 200): PageResponse {
  return { status, headers: { ...HEADERS }, body: `<!doctype html>\n${content.text}` };
}

/** Sends the browser on with a GET. */
export function seeOther(location: string): PageResponse {
  return { status: 303, headers: { Location: location, 'Cache-Control': 'no-store' }, body: '' };
}

function header(request: PageRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/**
 * Whether a form was sent by one of these pages, or by a program (which sends no `Origin`): another site's page must
 * not move the clock or cancel a subscription behind somebody's back, nor a webhook that somebody had sent here.
 */
export function isOwnForm(request: PageRequest): boolean {
  if (header(request, 'webhook-id') !== undefined) return false;
  const site = header(request, 'sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const origin = header(request, 'origin');
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === header(request, 'host');
}
