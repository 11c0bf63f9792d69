import type { Declared } from '../mirror/attribute.ts';
import type { Payer } from '../mirror/types.ts';
import type { ImportRequest } from './import-request.ts';

const METADATA = 'metadata.';

/**
 * How an import calls whoever has this Stripe customer. Whoever pays can write any address: it is good for receiving what
 * was paid for, and links no Stripe customer, since with that would go the billing of whom the address names.
 */
export function declaredBy(
  { customer_id_from: from }: ImportRequest,
  means: Omit<Declared, 'externalId'>,
): (payer: Payer) => Declared {
  const links = means.links && from !== 'email';
  return (payer) => ({ ...means, links, externalId: externalIdIn(payer, from) });
}

function externalIdIn({ id, email, metadata }: Payer, from: string): string | null {
  if (from === 'stripe_customer_id') return id;
  if (from === 'email') return email || null;
  const key = from.slice(METADATA.length);
  return metadata && Object.hasOwn(metadata, key) ? metadata[key] || null : null;
}
