import { invalidRequest } from './errors.ts';
import type { Kind } from './model.ts';

type Json = Record<string, unknown>;

/** Finds what an expandable field refers to, and what may only be seen by expanding. */
export interface Lookup {
  /** The object with an id, whatever its kind, or undefined. */
  find(id: string): object | undefined;
  /** A part of an object that is shown only when it is asked for, such as a session's line items; else undefined. */
  hidden(object: Json, field: string): unknown;
}

/** Fields that hold an id but cannot be expanded, or hold text that might look like an id. */
const NEVER = new Set(['id', 'object', 'client_secret', 'url']);
const MAX_LEVELS = 4;

/** Which kind an id's prefix says it is of. */
export const KIND_OF_PREFIX: Record<string, Kind> = {
  bpc: 'billing_portal.configuration',
  bps: 'billing_portal.session',
  card: 'card',
  cbtxn: 'customer_balance_transaction',
  ch: 'charge',
  clock: 'test_helpers.test_clock',
  cs: 'checkout.session',
  cus: 'customer',
  di: 'discount',
  dp: 'dispute',
  ent: 'entitlements.active_entitlement',
  evt: 'event',
  feat: 'entitlements.feature',
  ii: 'invoiceitem',
  in: 'invoice',
  inpay: 'invoice_payment',
  pi: 'payment_intent',
  plink: 'payment_link',
  pm: 'payment_method',
  price: 'price',
  prod: 'product',
  prodft: 'product_feature',
  promo: 'promotion_code',
  re: 'refund',
  seti: 'setup_intent',
  sub: 'subscription',
  sub_sched: 'subscription_schedule',
  txn: 'balance_transaction',
  we: 'webhook_endpoint',
};

/** What is hidden in a field that can be expanded, but that this object does not have. */
export const NOTHING = Symbol('nothing');

const SHOWN_IN_NESTED_LIST = 10;

/**
 * A copy of a stored object as the API shows it: without what is kept under `$`, and with at most ten entries in the
 * lists inside it.
 */
export function bare(object: object): Json {
  return shownFields(object as Json);
}

function shownFields(group: Json): Json {
  // Every answer and every event goes through here: to copy the whole and then what is nested is the quickest. What is
  // undefined does not show in JSON.
  const shown: Json = { ...group };
  for (const key in shown) {
    const value = shown[key];
    if (typeof value === 'object' && value !== null) shown[key] = key === '$' ? undefined : shownValue(value);
  }
  return shown;
}

function shownValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(shownValue);
  const group = value as Json;
  const { data } = group;
  if (group.object !== 'list' || !Array.isArray(data) || data.length <= SHOWN_IN_NESTED_LIST) return shownFields(group);
  return shownFields({ ...group, data: data.slice(0, SHOWN_IN_NESTED_LIST), has_more: true });
}

function isGroup(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function expandField(target: Json, field: string, lookup: Lookup, refuse: () => never): unknown {
  if (NEVER.has(field)) refuse();
  if (!(field in target) || target[field] === undefined) {
    const hidden = lookup.hidden(target, field);
    if (hidden === undefined) refuse();
    if (hidden === NOTHING) return undefined;
    target[field] = isGroup(hidden) ? bare(hidden) : shownValue(hidden);
    return target[field];
  }
  const value = target[field];
  const expandId = (id: unknown): unknown => {
    if (typeof id !== 'string') return id;
    const found = lookup.find(id);
    return found === undefined ? refuse() : bare(found);
  };
  if (typeof value === 'string') target[field] = expandId(value);
  else if (Array.isArray(value)) target[field] = value.map(expandId);
  return target[field];
}

function expandPath(target: unknown, path: string[], lookup: Lookup, refuse: () => never): void {
  const [field, ...rest] = path;
  if (field === undefined || target === null || target === undefined) return;
  if (Array.isArray(target)) {
    for (const entry of target) expandPath(entry, path, lookup, refuse);
    return;
  }
  if (!isGroup(target)) refuse();
  if (target.object === 'list' && field === 'data') expandPath(target.data, rest, lookup, refuse);
  else expandPath(expandField(target, field, lookup, refuse), rest, lookup, refuse);
}

/**
 * Renders an object for the wire and expands the given paths in it.
 *
 * @throws StripeError for a path that does not lead anywhere, or that is deeper than four levels (`data` counts as one)
 */
export function render(object: object, paths: readonly string[], lookup: Lookup): Json {
  const rendered = bare(object);
  for (const path of paths) {
    const steps = path.split('.');
    if (steps.length > MAX_LEVELS) {
      throw invalidRequest(`You cannot expand more than ${MAX_LEVELS} levels of a property (${path}).`, {
        param: 'expand',
      });
    }
    expandPath(rendered, steps, lookup, () => {
      throw invalidRequest(`This property cannot be expanded (${path}).`, { param: 'expand' });
    });
  }
  return rendered;
}
