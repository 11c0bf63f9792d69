import { idOrNull } from '../mirror/parse-shape.ts';
import type { Look } from './kind.ts';

const known = new WeakMap<Look, Promise<ReadonlySet<string>>>();

/**
 * The payment intents about which there is or was a dispute. All of the account's disputes are read, once for everything
 * that is looked at with the same look: they are few, however many payments there are.
 */
export function disputedPayments(look: Look): Promise<ReadonlySet<string>> {
  const asked = known.get(look);
  if (asked !== undefined) return asked;
  const asking = listAll(look);
  known.set(look, asking);
  // One that failed is tried again by whoever asks next.
  asking.catch(() => known.delete(look));
  return asking;
}

async function listAll(look: Look): Promise<ReadonlySet<string>> {
  const { disputes } = look.connection.client;
  const intents = new Set<string>();
  let after: string | undefined;
  for (;;) {
    const more = after === undefined ? {} : { starting_after: after };
    const { data, has_more } = await look.ask('purchase', () => disputes.list({ limit: 100, ...more }));
    for (const { payment_intent } of data) {
      const id = idOrNull(payment_intent);
      if (id !== null) intents.add(id);
    }
    after = data.at(-1)?.id;
    if (!has_more || after === undefined) return intents;
  }
}
