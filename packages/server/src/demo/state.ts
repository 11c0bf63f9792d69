import { DEMO_FEATURES, type DemoFeature } from './catalog.ts';
import type { Demo } from './set-up.ts';

/** One source of `GET /entitlements`. */
export interface EntitlingSource {
  type: string;
  id: string;
  reason: string;
  period_end?: string | null;
  will_renew?: boolean;
}

interface Entitlements {
  version: number;
  next_change_at: string | null;
  entitlements: Record<
    string,
    {
      value: number | null;
      unlimited: boolean;
      valid_from: string;
      valid_to: string | null;
      sources: EntitlingSource[];
    }
  >;
}

interface Decision {
  feature: string;
  entitled: boolean;
  value: number | null;
  unlimited: boolean;
  reason: string;
  valid_to: string | null;
}

export interface FeatureNow extends Decision {
  known: DemoFeature;
  /** When the unbroken span of access around now began; null while there is none. */
  since: string | null;
  sources: readonly EntitlingSource[];
}

/** What one customer may do now. */
export interface CustomerNow {
  customerId: string;
  version: number;
  nextChangeAt: string | null;
  features: readonly FeatureNow[];
}

/** Asks what a customer may do now, and for what they may not, why. */
export async function customerNow({ api, secretKey }: Demo, customerId: string): Promise<CustomerNow> {
  const snapshot = await api.call<Entitlements>(
    'GET',
    `/entitlements?customer_id=${encodeURIComponent(customerId)}`,
    secretKey,
  );
  const checks = DEMO_FEATURES.map(({ code }) => ({ customer_id: customerId, feature: code }));
  const { data } = await api.call<{ data: Decision[] }>('POST', '/check', secretKey, { checks });
  const features = DEMO_FEATURES.flatMap((known, index) => {
    const decision = data[index];
    if (decision === undefined) return [];
    const entitlement = snapshot.entitlements[known.code];
    return [{ ...decision, known, since: entitlement?.valid_from ?? null, sources: entitlement?.sources ?? [] }];
  });
  return { customerId, version: snapshot.version, nextChangeAt: snapshot.next_change_at, features };
}
