import { canLose } from '../stripe/never-deleted.ts';
import { isMissing } from '../stripe/refusal.ts';
import type { KindName, Look } from './kind.ts';

/** How many of the stored objects are asked for before it is said that this is another account. */
const PROBES = 6;

/** Whether the accounts that are asked are those that everything was stored from: found out once a run, if it matters. */
export class KnownAccounts {
  readonly #known = new Map<string, Promise<boolean>>();

  /**
   * Whether it can be believed that something stored is gone because Stripe, asked for it, finds nothing. Beside what
   * `canLose` says of live mode, an account in which nothing else that is stored can be found either is another one.
   * Believing that would end the access of everybody who pays.
   * @returns what a person has to do; null: it is gone
   */
  async whyNotLost(look: Look, gone: { kind: KindName; id: string }): Promise<string | null> {
    const { connection } = look;
    const check = `Nothing was changed. Check that the key of the connection ${connection.id} is of the account that has it.`;
    // Products and prices that were never used can be deleted.
    if (gone.kind !== 'product' && gone.kind !== 'price' && !canLose(connection)) {
      return `Stripe does not find ${gone.id}, and in live mode nothing of its kind is ever deleted. ${check}`;
    }
    if (await this.#knows(look, gone.id)) return null;
    return `Stripe does not find ${gone.id}, nor anything else that is stored of this account. ${check}`;
  }

  #knows(look: Look, exceptId: string): Promise<boolean> {
    const asked = this.#known.get(look.connection.id);
    if (asked !== undefined) return asked;
    const asking = findsAny(look, exceptId);
    this.#known.set(look.connection.id, asking);
    // One that failed is tried again by whoever asks next.
    asking.catch(() => this.#known.delete(look.connection.id));
    return asking;
  }
}

/** Whether Stripe has any of what was stored last, besides the one; true also where nothing else is stored. */
async function findsAny(look: Look, exceptId: string): Promise<boolean> {
  const ids = await probes(look, exceptId);
  for (const id of ids) if (await isFound(look, id)) return true;
  return ids.length === 0;
}

async function probes({ db, connection }: Look, exceptId: string): Promise<string[]> {
  const products = await db
    .selectFrom('tollgate.products')
    .select('id')
    .where('connection_id', '=', connection.id)
    .where('deleted', '=', false)
    .where('id', '<>', exceptId)
    .orderBy('created_at', 'desc')
    .limit(PROBES / 2)
    .execute();
  const customers = await db
    .selectFrom('tollgate.customers')
    .select('stripe_customer_id as id')
    .where('connection_id', '=', connection.id)
    .where('stripe_customer_id', 'is not', null)
    .where('stripe_customer_id', '<>', exceptId)
    .orderBy('id', 'desc')
    .limit(PROBES / 2)
    .execute();
  return [...products, ...customers].flatMap(({ id }) => (id === null ? [] : [id]));
}

async function isFound(look: Look, id: string): Promise<boolean> {
  const { client } = look.connection;
  try {
    if (id.startsWith('cus_')) await look.ask('customer', () => client.customers.retrieve(id));
    else await look.ask('product', () => client.products.retrieve(id));
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
