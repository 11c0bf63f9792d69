import { attribute } from '../mirror/attribute.ts';
import {
  type FetchedPurchase,
  fetchPayment,
  fetchPurchase,
  purchaseOfPayment,
  purchaseOfSession,
} from '../mirror/fetch-purchase.ts';
import { listedPurchase, PURCHASE_EXPANSIONS } from '../mirror/listed-purchase.ts';
import { parseShape } from '../mirror/parse-shape.ts';
import { isPurchase, purchaseFact, purchaseId, purchaseRef } from '../mirror/purchase-fact.ts';
import { purchaseHints } from '../mirror/save-purchase.ts';
import { SessionShape } from '../mirror/shapes.ts';
import { sellsOnce } from '../stripe/sells-once.ts';
import type { Stripe } from '../stripe/types.ts';
import { disputedPayments } from './disputed-payments.ts';
import type { Kind, Look, Shelf, Verdict } from './kind.ts';
import { customerFilter } from './scope-filter.ts';
import { storedFact, storedFacts, unmetFacts } from './stored-facts.ts';
import { compareFact, outOfScope, ownerOf } from './verdicts.ts';

/**
 * One-off purchases, found through their checkout sessions and stored under their payment intent, or under the session
 * when nothing had to be paid, or when they were bought beside a subscription. Old ones are compared too, with their refunds
 * and disputes. The list shows all of most; the others are fetched one by one.
 */
export const purchases: Kind<Stripe.Checkout.Session> = {
  name: 'purchase',
  refOf: purchaseRef,
  unmet: (look, page) => unmetFacts(look, 'purchase', page),

  storedId(session) {
    const { id, mode, status, payment_intent: intent } = session;
    if (mode === 'payment' && intent !== null) return typeof intent === 'string' ? intent : intent.id;
    // A page that is open, or was left: nothing has been bought.
    return status === 'complete' && sellsOnce(session) ? id : null;
  },

  async list(look, { limit, startingAfter }) {
    const customer = await customerFilter(look);
    if (customer === 'nobody') return { data: [], has_more: false };
    return await look.connection.client.checkout.sessions.list({
      ...customer,
      limit,
      expand: PURCHASE_EXPANSIONS,
      ...(startingAfter === undefined ? {} : { starting_after: startingAfter }),
    });
  },

  async shelve(look, listed) {
    const ids = listed.map((session) => this.storedId(session)).filter((id) => id !== null);
    const stored = await storedFacts(look, 'purchase', ids);
    const facts = Map.groupBy(stored, ({ id }) => id);
    // Disputes cannot be listed by customer, who has bought so few that each is fetched.
    const disputed = look.scope.customerId === null ? { disputed: await disputedPayments(look) } : {};
    return { facts: new Map(ids.map((id) => [id, facts.get(id) ?? []])), ...disputed } satisfies Shelf;
  },

  async compare(look, listed) {
    const shown = look.shelf?.disputed === undefined ? null : listedPurchase(listed, look.shelf.disputed);
    if (shown !== null) return await compareFetched(look, shown);
    const session = parseShape(SessionShape, listed, 'checkout session');
    const fetched = await look.ask('purchase', () => purchaseOfSession(look.connection, session));
    return fetched === null ? { status: 'ignored' } : await compareFetched(look, fetched);
  },

  async compareOne(look, id) {
    const fetched = await look.ask('purchase', () => fetchById(look, id));
    if (fetched !== null) return await compareFetched(look, fetched);
    const stored = await storedFact(look, 'purchase', id);
    if (stored === undefined) return { status: 'ignored' };
    if (stored.fact.status === 'failed') return { status: 'in_sync' };
    const { projectId, customerId, recordedAt: since } = stored;
    const fields = [{ field: 'status', before: stored.fact.status, after: 'failed' }];
    const toldTo = stored.fact.checkoutSessionId;
    return { status: 'drift', drift: { kind: 'missing_in_stripe', projectId, customerId, fields, since, toldTo } };
  },
};

async function fetchById({ connection }: Look, id: string): Promise<FetchedPurchase | null> {
  if (id.startsWith('cs_')) return await fetchPurchase(connection, { sessionId: id });
  const payment = await fetchPayment(connection, id);
  return payment === null ? null : await purchaseOfPayment(connection, payment);
}

async function compareFetched(look: Look, fetched: FetchedPurchase): Promise<Verdict> {
  const stored = await storedFact(look, 'purchase', purchaseId(fetched));
  if (stored === undefined && !isPurchase(fetched)) return { status: 'ignored' };
  const found = await attribute(look.db, look.connection, purchaseHints(fetched));
  if (found.status === 'ignored' || found.status === 'parked') return { status: found.status };
  if (outOfScope(look.scope, ownerOf(found))) return { status: 'out_of_scope' };
  const fact = purchaseFact(fetched);
  const changedAt = fact.paidAt === null ? null : new Date(fact.paidAt);
  const verdict = compareFact(stored, fact, { ...ownerOf(found), changedAt });
  if (verdict.status !== 'drift') return verdict;
  return { ...verdict, drift: { ...verdict.drift, toldTo: fact.checkoutSessionId } };
}
