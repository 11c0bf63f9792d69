import { DEMO_PRODUCTS } from './catalog.ts';
import type { Call } from './curl.ts';
import type { Demo } from './set-up.ts';

/** What can be granted by hand, as the page offers it. */
export const GRANTS: readonly { id: string; name: string; feature: string; value?: number }[] = [
  { id: 'priority_support', name: 'Priority support', feature: 'priority_support' },
  { id: 'pro_export', name: 'Export as PDF', feature: 'pro_export' },
  { id: 'projects', name: '100 projects', feature: 'projects', value: 100 },
  { id: 'seats', name: '2 more seats', feature: 'seats', value: 2 },
];

/** Every price that the page offers, with its product's name. */
export const PLANS = DEMO_PRODUCTS.flatMap((product) => product.prices.map((price) => ({ ...price, product })));

/** What the tour's trial is of. */
export const TRIAL = { lookupKey: 'pro_monthly', days: 14 };

/** The calls of the API that the page makes, and shows as `curl` lines. */

export function buyCall({ secretKey }: Demo, origin: string, customerId: string, lookupKey: string): Call {
  const quantity = PLANS.find((plan) => plan.lookup_key === lookupKey)?.quantity ?? 1;
  return {
    method: 'POST',
    path: '/checkout/sessions',
    key: secretKey,
    body: {
      customer_id: customerId,
      email: `${customerId}@example.com`,
      lookup_key: lookupKey,
      ...(quantity > 1 ? { quantity } : {}),
      success_url: `${origin}/?did=bought&session_id={CHECKOUT_SESSION_ID}`,
      cancel_url: `${origin}/?did=left`,
    },
  };
}

/** A trial of Pro, with a card, so that it goes on to a paid month. */
export function trialCall({ secretKey }: Demo, origin: string, customerId: string): Call {
  return {
    method: 'POST',
    path: '/checkout/sessions',
    key: secretKey,
    body: {
      customer_id: customerId,
      email: `${customerId}@example.com`,
      lookup_key: TRIAL.lookupKey,
      trial_period_days: TRIAL.days,
      success_url: `${origin}/?did=trial&session_id={CHECKOUT_SESSION_ID}#later`,
      cancel_url: `${origin}/?did=left`,
    },
  };
}

export function checkCall({ secretKey }: Demo, customerId: string, feature: string): Call {
  const query = new URLSearchParams({ customer_id: customerId, feature });
  return { method: 'GET', path: `/check?${query}`, key: secretKey };
}

export function explainCall({ secretKey }: Demo, customerId: string, feature: string): Call {
  const query = new URLSearchParams({ customer_id: customerId, feature });
  return { method: 'GET', path: `/explain?${query}`, key: secretKey };
}

export function portalCall({ secretKey }: Demo, origin: string, customerId: string): Call {
  const body = { customer_id: customerId, return_url: `${origin}/?did=portal` };
  return { method: 'POST', path: '/portal/sessions', key: secretKey, body };
}

export function grantCall(
  { adminKey, projectId }: Demo,
  customerId: string,
  grantId: string,
  reason: string,
  validTo: string | null,
): Call | null {
  const grant = GRANTS.find(({ id }) => id === grantId);
  if (grant === undefined) return null;
  return {
    method: 'POST',
    path: '/admin/grant',
    key: adminKey,
    body: {
      project_id: projectId,
      customer_id: customerId,
      feature: grant.feature,
      ...(grant.value === undefined ? {} : { value: grant.value }),
      ...(validTo === null ? {} : { valid_to: validTo }),
      reason,
      actor: 'demo',
    },
  };
}

export function revokeCall({ adminKey, projectId }: Demo, customerId: string, feature: string, reason: string): Call {
  return {
    method: 'POST',
    path: '/admin/revoke',
    key: adminKey,
    body: { project_id: projectId, customer_id: customerId, feature, reason, actor: 'demo' },
  };
}

export function auditCall({ adminKey, projectId }: Demo, customerId: string): Call {
  const query = new URLSearchParams({ project_id: projectId, customer_id: customerId, limit: '10' });
  return { method: 'GET', path: `/admin/audit?${query}`, key: adminKey };
}

/** Makes a call as it is written. */
export async function make<T>({ api }: Demo, { method, path, key, body }: Call): Promise<T> {
  return await api.call<T>(method, path, key, body);
}
