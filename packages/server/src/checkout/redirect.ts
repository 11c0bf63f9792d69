import { TollgateError } from '../platform/errors.ts';
import { isLoopbackHost } from '../projects/origins.ts';

/**
 * What another parser than a browser's may read differently: Stripe gets the text as it came, and must not send people
 * to another host than the one that was checked here.
 */
const AMBIGUOUS = /[\\\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const AUTHORITY = /^https?:\/\/([^/?#]+)/i;

/**
 * Refuses a URL that people must not be sent to. The text itself goes on to Stripe unchanged, so that
 * `{CHECKOUT_SESSION_ID}` in it survives.
 * @param url - as the app wrote it
 * @param path - the field that it came in, for the error
 * @param allowedOrigins - the project's; empty: any https, and http on loopback
 * @throws TollgateError `redirect_not_allowed`
 */
export function refuseBadRedirect(url: string, path: string, allowedOrigins: readonly string[]): void {
  const message = redirectProblem(url, allowedOrigins);
  if (message === null) return;
  throw new TollgateError('redirect_not_allowed', `${path} ${message}.`, [{ path, message }]);
}

/** Why people must not be sent to a URL; null when they may be. */
export function redirectProblem(url: string, allowedOrigins: readonly string[]): string | null {
  const authority = AUTHORITY.exec(url)?.[1];
  if (authority === undefined || AMBIGUOUS.test(url) || !URL.canParse(url)) {
    return 'must be a whole URL such as https://app.example.com/billing';
  }
  const { protocol, hostname, origin } = new URL(url);
  if (authority.includes('@')) return 'must not carry a user name or password';
  // Browsers decode it, and nobody who means well writes it.
  if (authority.includes('%')) return 'must not have a percent sign in its host';
  if (/[{}]/.test(authority)) return 'may hold {CHECKOUT_SESSION_ID} only behind the host';
  if (allowedOrigins.length > 0) {
    return allowedOrigins.includes(origin)
      ? null
      : `must begin with one of the project's redirect_origins; ${origin} is not among them`;
  }
  if (protocol === 'http:' && !isLoopbackHost(hostname)) return 'may use http on localhost only; use https';
  return null;
}
