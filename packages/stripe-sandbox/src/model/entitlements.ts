import type { Metadata } from './shared.ts';

export interface Feature {
  id: string;
  object: 'entitlements.feature';
  active: boolean;
  livemode: false;
  lookup_key: string;
  metadata: Metadata;
  name: string;
}

export interface ProductFeature {
  id: string;
  object: 'product_feature';
  entitlement_feature: Feature;
  livemode: false;
  $: { product: string };
}

export interface ActiveEntitlement {
  id: string;
  object: 'entitlements.active_entitlement';
  feature: string;
  livemode: false;
  lookup_key: string;
  $: { customer: string };
}
