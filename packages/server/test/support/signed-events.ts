/** Events as Stripe sends them, signed or spoiled on purpose. */
import { createHmac, randomBytes } from 'node:crypto';

export const WEBHOOK_SECRET = 'whsec_for_tests';

export interface EventBody {
  id: string;
  type: string;
  [member: string]: unknown;
}

/** A snapshot event about an object. */
export function eventAbout(type: string, object: Record<string, unknown>, members: object = {}): EventBody {
  return {
    id: `evt_${randomBytes(9).toString('hex')}`,
    object: 'event',
    api_version: '2026-10-28.endive',
    created: Math.floor(Date.now() / 1000),
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
    data: { object },
    ...members,
  };
}

/** @param secondsFromNow - when it claims to be signed */
export function sign(body: string | Buffer, secret = WEBHOOK_SECRET, secondsFromNow = 0): string {
  const timestamp = Math.floor(Date.now() / 1000) + secondsFromNow;
  return `t=${timestamp},v1=${macOf(body, secret, timestamp)}`;
}

export function macOf(body: string | Buffer, secret: string, timestamp: number | string): string {
  return createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
}

/** Delivers to a service as Stripe does. @returns the status; 0 when there was no answer */
export async function deliver(serviceUrl: string, event: EventBody, path = '/api/v1/webhooks/stripe'): Promise<number> {
  const body = JSON.stringify(event, null, 2);
  try {
    const response = await fetch(serviceUrl + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': sign(body) },
      body,
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}
