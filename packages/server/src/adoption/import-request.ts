import type { MappingInput } from '../catalog/mapping-inputs.ts';
import type { Declared } from '../mirror/attribute.ts';
import type { Payer } from '../mirror/types.ts';

export interface ImportedProduct {
  /** Stripe's `prod_…`. */
  product: string;
  /** The whole set of its mappings; left out, they stay as they are. */
  features?: readonly MappingInput[];
}

/** What an operator asked an import for. */
export interface ImportRequest {
  /** The products that are the project's; `all`: every one that is nobody else's. */
  products: 'all' | readonly ImportedProduct[];
  /** Where the app's own id of a customer is found in Stripe: `stripe_customer_id`, `email`, `metadata.<key>`. */
  customer_id_from: string;
}

const METADATA = 'metadata.';

/** How an import calls whoever has this Stripe customer. */
export function declaredBy(
  { customer_id_from: from }: ImportRequest,
  { projectId, links }: { projectId: string; links: boolean },
): (payer: Payer) => Declared {
  return (payer) => ({ projectId, externalId: externalIdIn(payer, from), links });
}

function externalIdIn({ id, email, metadata }: Payer, from: string): string | null {
  if (from === 'stripe_customer_id') return id;
  if (from === 'email') return email || null;
  return metadata?.[from.slice(METADATA.length)] || null;
}
