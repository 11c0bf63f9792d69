/** A webhook's body as far as it is relied upon: which event it is, and what it speaks of. */

export interface StripeEvent {
  id: string;
  /** `customer.subscription.updated`; a thin event's `v1.` prefix is gone. */
  type: string;
  /** A thin event (v2) names its object and carries nothing of it. */
  thin: boolean;
  apiVersion: string | null;
  /** Null when the event does not say. */
  livemode: boolean | null;
  /** The connected account that it comes from (Connect); null for the endpoint's own. */
  account: string | null;
  /** Epoch milliseconds; null when it cannot be read. */
  createdAt: number | null;
  /** `data.object`, or a thin event's `related_object`; null when there is none. */
  object: Readonly<Record<string, unknown>> | null;
  /** The whole body, without what nobody may see and what PostgreSQL cannot store. */
  payload: Record<string, unknown>;
}

const ID = /^[\x21-\x7e]{1,255}$/;
const TYPE = /^[A-Za-z0-9_.-]{1,255}$/;
/** With these a browser could act for the payer. */
const SECRET_MEMBERS = new Set(['client_secret', 'secret', 'ephemeral_key_secret']);

/** @returns null when the bytes are no event of Stripe's */
export function parseEvent(bytes: Buffer): StripeEvent | null {
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString('utf8'), cleaned);
  } catch {
    return null;
  }
  if (!isRecord(body) || typeof body.id !== 'string' || typeof body.type !== 'string') return null;
  if (!ID.test(body.id) || !TYPE.test(body.type)) return null;
  const thin = body.object === 'v2.core.event';
  return {
    id: body.id,
    type: thin ? body.type.replace(/^v1\./, '') : body.type,
    thin,
    apiVersion: typeof body.api_version === 'string' ? body.api_version : null,
    livemode: typeof body.livemode === 'boolean' ? body.livemode : null,
    account: typeof body.account === 'string' ? body.account : null,
    createdAt: instantIn(body.created),
    object: objectIn(thin ? body.related_object : isRecord(body.data) ? body.data.object : null),
    payload: body,
  };
}

/** Neither NUL nor half a surrogate pair can be stored as text; and secrets are not kept. */
function cleaned(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (SECRET_MEMBERS.has(key)) return '[redacted]';
  return value.toWellFormed().replaceAll('\0', '\ufffd');
}

/** Seconds in a snapshot event, RFC 3339 in a thin one. */
function instantIn(created: unknown): number | null {
  const ms = typeof created === 'number' ? created * 1000 : typeof created === 'string' ? Date.parse(created) : NaN;
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? ms : null;
}

function objectIn(value: unknown): Record<string, unknown> | null {
  return isRecord(value) ? value : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
