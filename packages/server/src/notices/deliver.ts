import { sql } from 'kysely';
import { recordAudit } from '../audit/record.ts';
import { deliveryQueue, requestDelivery } from '../entitlements/announce.ts';
import { eachOf } from '../platform/each-of.ts';
import { enqueue, type Task } from '../platform/jobs.ts';
import type { Log } from '../platform/log.ts';
import { delayAfter, type RetryDelays } from '../platform/retry-delay.ts';
import { SealError } from '../platform/sealing.ts';
import type { NoticeDeps } from './deps.ts';
import { makeDue } from './make-due.ts';
import { type PendingNotice, pendingNotices } from './pending.ts';
import { type EndpointRow, openSecrets } from './secrets.ts';
import { type Outcome, type Send, sendOverHttp } from './send.ts';
import { signedHeaders } from './signing.ts';

export interface DeliverDeps extends NoticeDeps {
  log: Log;
  send?: Send;
  retry?: RetryDelays;
  /** How long nothing may arrive before the endpoint is disabled. */
  giveUpMs?: number;
}

/** 5 s, 10 s, 20 s… and then every four hours. */
const RETRY: RetryDelays = { baseMs: 5_000, capMs: 4 * 60 * 60 * 1000 };
const GIVE_UP_MS = 5 * 24 * 60 * 60 * 1000;
const BATCH = 200;
/** Customers told side by side; each one's notices go one after the other. */
const SIDE_BY_SIDE = 8;
/** So many failures in a row, and the rest of the pass is left for later. */
const ENOUGH_FAILURES = 8;

/**
 * The `deliver_notices` task: one pass over what an endpoint has not been sent yet. Its jobs stand in one queue, so that
 * an endpoint has one pass at a time and each customer's notices arrive in order. Where one fails, that customer's later
 * ones wait for it; those of others go on. A pass ends as soon as its endpoint has another address, or is to be sent
 * nothing more: each delivery is written down together with a look at the endpoint.
 */
export function deliverNoticesTask(deps: DeliverDeps): Task {
  return async (payload, { signal }) => {
    const endpoint = await endpointIn(deps, payload);
    if (endpoint === undefined) return;
    const pausedUntil = endpoint.retry_at?.getTime() ?? 0;
    if (pausedUntil > Date.now()) {
      await comeBack(deps, endpoint.id, endpoint.retry_at as Date);
      return;
    }
    await new Pass(deps, endpoint, signal).run();
  };
}

async function endpointIn({ db }: DeliverDeps, payload: unknown): Promise<EndpointRow | undefined> {
  const { endpoint_id: id } = payload as { endpoint_id?: unknown };
  if (typeof id !== 'string') throw new Error('A deliver_notices job names no endpoint.');
  return await db
    .selectFrom('tollgate.webhook_endpoints')
    .selectAll()
    .where('id', '=', id)
    .where('status', '=', 'enabled')
    .executeTakeFirst();
}

/** Another pass, in place of one that waits already. */
async function comeBack({ db }: DeliverDeps, endpointId: string, runAt: Date): Promise<void> {
  const queueName = deliveryQueue(endpointId);
  await enqueue(db, 'deliver_notices', { endpoint_id: endpointId }, { queueName, jobKey: `retry:${queueName}`, runAt });
}

class Pass {
  readonly #deps: DeliverDeps;
  /** As it was when the pass began. */
  readonly #endpoint: EndpointRow;
  readonly #signal: AbortSignal;
  /** As they were when something was last sent. */
  #secrets: EndpointRow['secrets'];
  /** Whose next notice failed or is not due: theirs wait. */
  readonly #waiting = new Set<string>();
  #soonest = Number.POSITIVE_INFINITY;
  #failures = 0;
  #lastError = '';
  #arrived = false;
  #gone = false;
  /** Whether it has another address meanwhile, or is to be sent nothing more. */
  #changed = false;

  constructor(deps: DeliverDeps, endpoint: EndpointRow, signal: AbortSignal) {
    this.#deps = deps;
    this.#endpoint = endpoint;
    this.#signal = signal;
    this.#secrets = endpoint.secrets;
  }

  async run(): Promise<void> {
    let after: PendingNotice | null = null;
    while (!this.#over()) {
      const batch = await pendingNotices(this.#deps.db, this.#endpoint.id, { after, limit: BATCH });
      await this.#sendBatch(batch);
      after = batch.at(-1) ?? null;
      if (batch.length < BATCH) break;
    }
    await this.#end();
  }

  #over(): boolean {
    return this.#signal.aborted || this.#gone || this.#changed || this.#failures >= ENOUGH_FAILURES;
  }

  async #sendBatch(batch: readonly PendingNotice[]): Promise<void> {
    const byCustomer = Map.groupBy(batch, ({ customerId }) => customerId);
    // A pass ends when nothing of it is under way any more, also by an error: the next one may begin then.
    await eachOf([...byCustomer.values()], SIDE_BY_SIDE, (list) => this.#sendInOrder(list));
  }

  async #sendInOrder(list: readonly PendingNotice[]): Promise<void> {
    for (const notice of list) {
      if (this.#over() || this.#waiting.has(notice.customerId)) return;
      if (notice.nextAttemptAt.getTime() > Date.now()) {
        this.#wait(notice.customerId, notice.nextAttemptAt);
        return;
      }
      await this.#sendOne(notice);
    }
  }

  #wait(customerId: string, until: Date): void {
    this.#waiting.add(customerId);
    this.#soonest = Math.min(this.#soonest, until.getTime());
  }

  async #sendOne(notice: PendingNotice): Promise<void> {
    const { retry = RETRY } = this.#deps;
    const { id, url } = this.#endpoint;
    const sentAt = new Date();
    const outcome = await this.#send(notice, sentAt);
    // A stop is no failure of theirs.
    if ('error' in outcome && this.#signal.aborted) return;
    const arrived = 'status' in outcome && outcome.status >= 200 && outcome.status < 300;
    const attempts = notice.attempts + 1;
    const nextAttemptAt = new Date(Date.now() + delayAfter(attempts, retry));
    // What came of sending to an address that it has left is nothing to the new one, which is still to be told.
    const endpoint = await this.#deps.db
      .updateTable('tollgate.notice_deliveries as delivery')
      .from('tollgate.webhook_endpoints as endpoint')
      .set({
        status: arrived ? 'delivered' : 'pending',
        attempts,
        last_attempt_at: sentAt,
        next_attempt_at: nextAttemptAt,
        response_status: 'status' in outcome ? outcome.status : null,
        error: 'error' in outcome ? outcome.error : null,
      })
      .whereRef('endpoint.id', '=', 'delivery.endpoint_id')
      .where('delivery.endpoint_id', '=', id)
      .where('delivery.notice_id', '=', notice.id)
      .where('endpoint.url', '=', url)
      .returning(['endpoint.status', 'endpoint.secrets'])
      .executeTakeFirst();
    this.#changed ||= endpoint?.status !== 'enabled';
    if (endpoint === undefined) return;
    this.#secrets = endpoint.secrets;
    if (arrived) {
      this.#arrived = true;
      this.#failures = 0;
      return;
    }
    this.#failures += 1;
    this.#lastError = wordsOf(outcome);
    this.#gone ||= 'status' in outcome && outcome.status === 410;
    this.#wait(notice.customerId, nextAttemptAt);
  }

  /** What cannot be signed fails like what cannot be sent: whoever looks at the endpoint sees why. */
  async #send({ id: noticeId, body }: PendingNotice, sentAt: Date): Promise<Outcome> {
    const { clock, sealer, ownPorts, send = sendOverHttp } = this.#deps;
    const { id, url } = this.#endpoint;
    try {
      const secrets = openSecrets(sealer, { id, secrets: this.#secrets }, clock.now());
      const headers = signedHeaders(noticeId, body, secrets, sentAt);
      return await send({ url, headers, body, signal: this.#signal, ownPorts: ownPorts?.() });
    } catch (error) {
      if (error instanceof SealError) return { error: error.message };
      throw error;
    }
  }

  /** Writes down how the endpoint does, and sees to it that somebody comes back for what is left. */
  async #end(): Promise<void> {
    const { db, giveUpMs = GIVE_UP_MS } = this.#deps;
    const { id, failing_since: before } = this.#endpoint;
    const now = new Date();
    if (this.#signal.aborted) {
      await comeBack(this.#deps, id, now);
      return;
    }
    if (this.#changed) return await this.#beginAgain();
    const failed = this.#failures > 0 && !this.#arrived;
    const failingSince = failed ? (before ?? now) : this.#arrived ? null : before;
    if (this.#gone) return await this.#disable('gone');
    if (failingSince !== null && now.getTime() - failingSince.getTime() >= giveUpMs)
      return await this.#disable('failing');
    // While it hangs or refuses everything, its new notices wait with its old ones.
    const retryAt = this.#failures >= ENOUGH_FAILURES ? new Date(this.#soonest) : null;
    if (this.#arrived || failed) {
      const { numUpdatedRows } = await db
        .updateTable('tollgate.webhook_endpoints')
        .set({
          failing_since: failingSince,
          retry_at: retryAt,
          ...(this.#arrived ? { last_delivered_at: now } : {}),
          ...(this.#lastError === '' ? {} : { last_error: this.#lastError }),
        })
        .where(this.#isAsSeen())
        .executeTakeFirstOrThrow();
      if (numUpdatedRows === 0n) return await this.#beginAgain();
    }
    if (this.#soonest < Number.POSITIVE_INFINITY) await comeBack(this.#deps, id, new Date(this.#soonest));
  }

  /** What came of sending says nothing of an endpoint that was given another address, or a new beginning, meanwhile. */
  #isAsSeen() {
    const { id, url, failing_since: since } = this.#endpoint;
    return sql<boolean>`id = ${id} and url = ${url} and status = 'enabled' and failing_since is not distinct from ${since}`;
  }

  async #beginAgain(): Promise<void> {
    await this.#deps.db.transaction().execute(async (tx) => {
      await makeDue(tx, this.#endpoint.id);
      await requestDelivery(tx, this.#endpoint.id);
    });
  }

  async #disable(reason: 'gone' | 'failing'): Promise<void> {
    const { db, clock, log } = this.#deps;
    const { id, project_id: projectId } = this.#endpoint;
    const now = clock.now();
    const disabled = await db.transaction().execute(async (tx) => {
      const row = await tx
        .updateTable('tollgate.webhook_endpoints')
        .set({
          status: 'disabled',
          disabled_reason: reason,
          last_error: this.#lastError,
          retry_at: null,
          updated_at: new Date(now),
        })
        .where(this.#isAsSeen())
        .returning('id')
        .executeTakeFirst();
      if (row === undefined) return false;
      const detail = { endpoint: id, reason, last_error: this.#lastError };
      const self = { actor: 'notices', keyId: null, requestId: null };
      await recordAudit(tx, { ...self, action: 'webhook_endpoint.disabled', projectId, detail }, now);
      return true;
    });
    if (!disabled) return await this.#beginAgain();
    log.error(
      { endpoint: id, project: projectId, reason, last_error: this.#lastError },
      'A webhook endpoint is disabled: nothing arrives there. Enable it again once it answers; it is sent what it missed',
    );
  }
}

function wordsOf(outcome: Outcome): string {
  return 'status' in outcome ? `It answered ${outcome.status}.` : outcome.error;
}
