/** What a connection may be made of. Decides only. */
import { TollgateError } from '../platform/errors.ts';
import { isLoopbackHost } from '../projects/origins.ts';

/**
 * Whether a secret key moves real money.
 * @throws TollgateError `invalid_request` for what is no secret key
 */
export function livemodeOf(secretKey: string): boolean {
  const mode = /^(?:sk|rk)_(test|live)_[\x21-\x7e]+$/.exec(secretKey)?.[1];
  if (mode !== undefined) return mode === 'live';
  throw new TollgateError(
    'invalid_request',
    "secret_key is no secret key of Stripe's. Copy one from Stripe's dashboard under Developers, API keys.",
    [{ path: 'secret_key', message: 'must begin with sk_test_, sk_live_, rk_test_ or rk_live_' }],
  );
}

/**
 * Another Stripe-compatible host must not get the key in the clear: https, or http on this machine for a test key.
 * @returns its origin: `https://stripe.example`
 * @throws TollgateError `invalid_request`
 */
export function safeApiBase(apiBase: string, livemode: boolean): string {
  const url = URL.canParse(apiBase) ? new URL(apiBase) : null;
  const message =
    url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== ''
      ? 'must be a URL such as https://stripe.example, without a user name'
      : /[?#]/.test(apiBase) || url.pathname.replace(/\/$/, '') !== ''
        ? 'must have neither path nor query'
        : url.protocol === 'http:' && (livemode || !isLoopbackHost(url.hostname))
          ? 'must be https (http only on loopback, for a test key): the key would be sent in the clear'
          : null;
  if (message !== null) {
    throw new TollgateError('invalid_request', `api_base ${message}.`, [{ path: 'api_base', message }]);
  }
  return new URL(apiBase).origin;
}

/**
 * What the settings ask of a live key holds for those in the database too.
 * @param refusals - why this installation may have no live key; none: it may
 * @throws TollgateError `live_refused`
 */
export function refuseLive(livemode: boolean, refusals: readonly string[]): void {
  if (livemode && refusals.length > 0) throw new TollgateError('live_refused', refusals.join(' '));
}

/** @throws TollgateError `encryption_key_missing` */
export function encryptionKeyMissing(): TollgateError {
  return new TollgateError(
    'encryption_key_missing',
    'Secrets of connections are stored encrypted, and there is no key to do it with. Set TOLLGATE_ENCRYPTION_KEY (openssl rand -base64 32) and restart.',
  );
}
