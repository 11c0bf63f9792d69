/**
 * Whether an account serves one project alone. Where several share it, a Stripe customer may be several projects', and
 * none is linked unseen. A project can come to the account at any time, also while it is imported.
 */
import type { Queryable } from '../platform/database.ts';
import { declaredBy } from './declared.ts';
import type { Taking, Work } from './work.ts';

/** Another project came to the account after it was asked whether there is one. */
class NoLongerAlone extends Error {
  override readonly name = 'NoLongerAlone';
}

/** The work, with what the import declares of the account's customers as of now. */
export async function asOfNow(work: Taking): Promise<Work> {
  const alone = await servesAlone(work.db, work.connection.id);
  const means = { projectId: work.projectId, links: alone, takesUnclaimed: alone && work.all };
  return { ...work, alone, declared: declaredBy(work.row.request, means) };
}

/** Decides by what is declared as of now, and anew where `needAlone` finds that it no longer holds. */
export async function decidedNow<T>(work: Taking, decide: (work: Work) => Promise<T>): Promise<T> {
  try {
    return await decide(await asOfNow(work));
  } catch (error) {
    if (!(error instanceof NoLongerAlone)) throw error;
    return await decide(await asOfNow(work));
  }
}

/**
 * Asks again in the transaction that writes down what was decided, before it writes anything.
 * @throws NoLongerAlone
 */
export async function needAlone(tx: Queryable, { alone, connection }: Work): Promise<void> {
  if (alone && !(await servesAlone(tx, connection.id))) {
    throw new NoLongerAlone(`Another project is served through the connection ${connection.id} by now.`);
  }
}

async function servesAlone(db: Queryable, connectionId: string): Promise<boolean> {
  const rows = await db
    .selectFrom('tollgate.projects')
    .select('id')
    .where('connection_id', '=', connectionId)
    .limit(2)
    .execute();
  return rows.length === 1;
}
