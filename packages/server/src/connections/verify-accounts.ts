import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { Log } from '../platform/log.ts';
import { type AccountAnswer, accountOf } from '../stripe/account.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { isInUse } from './bring-up.ts';
import { pin } from './pin.ts';

export interface Verifier {
  /**
   * Asks Stripe whose the keys are that it was not asked about yet, and keeps what is learned. Stripe being away, or not
   * telling, is no reason to refuse.
   */
  verify(keys: readonly Key[]): Promise<void>;
  /** `acct_…` when this process heard from Stripe that the key is of the connection's account. */
  accountOf(key: KeyName): string | null;
  /** Why the key must not be used; null: it may, as far as is known. */
  refusalOf(key: KeyName): string | null;
}

/** A connection's key, by what changes when it is replaced: the sealed text, or null for one from the settings. */
export interface KeyName {
  id: string;
  sealedKey: string | null;
}

interface Key extends KeyName {
  connection: StripeConnection;
}

/** How long a start waits for Stripe, which may be away. */
export const ANSWER_WITHIN_MS = 3_000;

type Verdict =
  | { status: 'verified'; accountId: string }
  | { status: 'refused'; sentence: string }
  | Exclude<AccountAnswer, { status: 'known' }>;

export function createVerifier(deps: { db: Database; clock: Clock; log: Log }): Verifier {
  const verdicts = new Map<string, { sealedKey: string | null; verdict: Verdict }>();
  const of = ({ id, sealedKey }: KeyName): Verdict | undefined => {
    const found = verdicts.get(id);
    return found?.sealedKey === sealedKey ? found.verdict : undefined;
  };
  return {
    verify: async (keys) => {
      const open = keys.filter((key) => ['unreachable', 'rejected', undefined].includes(of(key)?.status));
      const found = await Promise.all(
        open.map(async (key) => ({ key, verdict: await verdictOn(deps, key.connection) })),
      );
      for (const { key, verdict } of found) {
        if (of(key)?.status !== verdict.status) tell(deps.log, key.id, verdict);
        verdicts.set(key.id, { sealedKey: key.sealedKey, verdict });
      }
    },
    accountOf: (key) => {
      const verdict = of(key);
      return verdict?.status === 'verified' ? verdict.accountId : null;
    },
    refusalOf: (key) => {
      const verdict = of(key);
      return verdict?.status === 'refused' ? verdict.sentence : null;
    },
  };
}

async function verdictOn(
  { db, clock, log }: { db: Database; clock: Clock; log: Log },
  connection: StripeConnection,
): Promise<Verdict> {
  const { id } = connection;
  const answer = await accountOf(connection.client, { timeoutMs: ANSWER_WITHIN_MS });
  if (answer.status !== 'known') return answer;
  const { accountId } = answer;
  const row = await db.selectFrom('tollgate.connections').selectAll().where('id', '=', id).executeTakeFirst();
  const known = row?.account_id ?? null;
  const pinned = pin(id, known, answer);
  if (pinned.status === 'refused') {
    // The sandbox may have been emptied; and what nothing came from may be replaced.
    const replaceable = row?.origin === 'environment' && (connection.isSandbox === true || !(await isInUse(db, id)));
    if (!replaceable) return pinned;
    log.warn({ connection: id, before: known, account: accountId }, 'A connection is of another account from now on');
  }
  if (known === accountId && row?.account_verified === true) return { status: 'verified', accountId };
  await db
    .updateTable('tollgate.connections')
    .set({ account_id: accountId, account_verified: true, updated_at: new Date(clock.now()) })
    .where('id', '=', id)
    // Of two processes with keys of different accounts the first one has it.
    .where('account_id', known === null ? 'is' : '=', known)
    .execute();
  const kept = await db.selectFrom('tollgate.connections').select('account_id').where('id', '=', id).executeTakeFirst();
  const again = pin(id, kept?.account_id ?? null, answer);
  return again.status === 'refused' ? again : { status: 'verified', accountId };
}

function tell(log: Log, connection: string, verdict: Verdict): void {
  switch (verdict.status) {
    case 'verified':
      log.debug({ connection, account: verdict.accountId }, 'The key of a connection is of its account');
      return;
    case 'refused':
      log.error({ connection }, verdict.sentence);
      return;
    case 'untold':
      log.warn(
        { connection },
        'Stripe does not say whose account a key is of. Let a restricted key read its account: the key of another account is then found out',
      );
      return;
    case 'rejected':
      log.error({ connection }, 'Stripe does not take the key of a connection. Replace it');
      return;
    case 'unreachable':
      log.warn({ connection, why: verdict.why }, 'It is not known yet whose account a key is of');
      return;
    default:
      verdict satisfies never;
  }
}
