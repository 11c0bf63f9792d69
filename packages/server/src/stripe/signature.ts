/**
 * Whether a webhook is Stripe's. The SDK's check is not enough: it signs a decoded copy of the bytes, accepts timestamps
 * far in the future, and a tolerance of 0 switches its check of the age off.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { TollgateError } from '../platform/errors.ts';
import type { StripeConnection } from './connections.ts';
import { parseEvent, type StripeEvent } from './webhook-event.ts';

/** How far the moment of signing may lie from now, in either direction. */
const TOLERANCE_SECONDS = 300;

/**
 * Checks the bytes of a webhook against all the secrets of a connection, and reads them.
 * @param header - `Stripe-Signature`: `t=<Unix seconds>,v1=<hex>[,v1=<hex>…]`
 * @param now - epoch milliseconds by a real clock: a simulated one is nothing that Stripe signs by
 * @throws TollgateError `invalid_signature`, or `invalid_request` for signed bytes that are no event
 */
export function verifyEvent(
  connection: Pick<StripeConnection, 'webhookSecrets'>,
  bytes: Buffer,
  header: string | undefined,
  now: number,
): StripeEvent {
  const { timestamp, signatures } = partsOf(header);
  if (!connection.webhookSecrets.some((secret) => isSigned(bytes, timestamp, signatures, secret))) {
    throw refused(
      'No signature in the Stripe-Signature header matches the body. Check that the endpoint’s signing secret is among ' +
        'those of the connection, and that no proxy changes the body.',
    );
  }
  const age = Math.floor(now / 1000) - Number(timestamp);
  if (Math.abs(age) > TOLERANCE_SECONDS) {
    throw refused(
      `The signature was made ${age > 0 ? `${age} s ago` : `${-age} s in the future`}; ${TOLERANCE_SECONDS} s are ` +
        'allowed. Check the clock of this host, and whether an old request is being repeated.',
    );
  }
  const event = parseEvent(bytes);
  if (event === null) {
    throw new TollgateError('invalid_request', 'The body is signed, but is no event of Stripe’s: it lacks id or type.');
  }
  return event;
}

function partsOf(header: string | undefined): { timestamp: string; signatures: Buffer[] } {
  if (header === undefined || header === '') {
    throw refused('The Stripe-Signature header is missing. Only Stripe calls this endpoint.');
  }
  let timestamp: string | undefined;
  const signatures: Buffer[] = [];
  for (const part of header.split(',')) {
    const [name, value] = part.trim().split('=', 2);
    if (name === 't' && value !== undefined) {
      // Of two timestamps nobody could say which one was signed.
      if (timestamp !== undefined || !/^\d{1,12}$/.test(value)) throw unreadable();
      timestamp = value;
    } else if (name === 'v1' && value !== undefined && /^[0-9a-f]{64}$/i.test(value)) {
      signatures.push(Buffer.from(value, 'hex'));
    }
  }
  if (timestamp === undefined || signatures.length === 0) throw unreadable();
  return { timestamp, signatures };
}

function isSigned(bytes: Buffer, timestamp: string, signatures: readonly Buffer[], secret: string): boolean {
  // Anyone could sign with an empty secret.
  if (secret.trim() === '') return false;
  const expected = createHmac('sha256', secret).update(`${timestamp}.`).update(bytes).digest();
  return signatures.some((signature) => timingSafeEqual(signature, expected));
}

function unreadable(): TollgateError {
  return refused('The Stripe-Signature header is not of the form "t=<seconds>,v1=<signature>".');
}

function refused(detail: string): TollgateError {
  return new TollgateError('invalid_signature', detail);
}
