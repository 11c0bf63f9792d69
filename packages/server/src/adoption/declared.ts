import type { Declared } from '../mirror/attribute.ts';
import type { Payer } from '../mirror/types.ts';
import type { ImportRequest } from './import-request.ts';

const METADATA = 'metadata.';

/** How an import calls whoever has this Stripe customer. */
export function declaredBy(
  { customer_id_from: from }: ImportRequest,
  means: Omit<Declared, 'externalId'>,
): (payer: Payer) => Declared {
  return (payer) => ({ ...means, externalId: externalIdIn(payer, from) });
}

function externalIdIn({ id, email, metadata }: Payer, from: string): string | null {
  if (from === 'stripe_customer_id') return id;
  if (from === 'email') return email || null;
  return metadata?.[from.slice(METADATA.length)] || null;
}
