/** Signs notices as Standard Webhooks does, so that apps verify them with any of its libraries. */
import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

/** `whsec_` and 32 random bytes in base64. */
export function newSigningSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/**
 * The headers that prove who sent a notice and when.
 * @param secrets - all that hold; the receiver may know any of them
 * @param sentAt - by the real clock: receivers refuse what was signed long ago
 */
export function signedHeaders(
  id: string,
  body: string,
  secrets: readonly string[],
  sentAt: Date,
): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': 'Tollgate',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, sentAt, body)).join(' '),
  };
}
