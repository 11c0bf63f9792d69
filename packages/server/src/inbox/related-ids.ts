/** What may become known later and then says whose an object is: customers, catalog, payments and their like. */
const STRIPE_ID = /^(?:cus|sub|prod|price|pi|cs|ch|in)_[A-Za-z0-9_]{1,250}$/;
const MOST = 200;

/** Every id of such an object in a payload, each once. */
export function relatedIds(payload: unknown): string[] {
  const found = new Set<string>();
  collect(payload, found);
  return [...found];
}

function collect(value: unknown, found: Set<string>): void {
  if (found.size >= MOST) return;
  if (typeof value === 'string') {
    if (STRIPE_ID.test(value)) found.add(value);
  } else if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) collect(member, found);
  }
}
