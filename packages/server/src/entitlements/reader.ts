import type { Clock } from '../platform/clock.ts';
import type { Connection, Database } from '../platform/database.ts';
import type { Log } from '../platform/log.ts';
import { listen } from '../platform/notify.ts';
import { type Answer, Answers } from './answers.ts';
import { CATALOG_CHANNEL, parseSnapshotMessage, SNAPSHOTS_CHANNEL } from './channels.ts';
import { type KnownFeatures, loadFeatures, sameFeatures } from './load-features.ts';
import {
  type CachedSnapshot,
  createSnapshotComparer,
  createSnapshotLoader,
  sameSnapshot,
  snapshotKey,
} from './load-snapshots.ts';
import { type CacheAges, type CacheCounts, DEFAULT_AGES, LoadingCache } from './loading-cache.ts';

export interface EntitlementReaderOptions {
  db: Database;
  /** Where to listen for changes; each reader holds two connections of its own. */
  connection: Connection;
  clock: Clock;
  log: Log;
  /** Bytes that snapshots may take in memory. Default 128 MiB. */
  snapshotBytes?: number;
  /** Bytes that the texts of answers may take. Default 16 MiB. */
  answerBytes?: number;
  ages?: Partial<CacheAges>;
}

export interface ReaderState {
  /** Whether changes are heard; otherwise what is cached is read again each second. */
  listening: boolean;
  /** Whether the last read failed: what was read earlier answers, for 15 minutes at most. */
  stale: boolean;
}

/** Reads what customers may do. What is in memory answers at once, the rest after one read. */
export interface EntitlementReader {
  /**
   * One decision.
   * @throws TollgateError `not_found` (project), `database_unavailable`
   */
  decide(projectId: string, customerId: string, feature: string): Answer | Promise<Answer>;
  /**
   * Everything that the customer is entitled to now.
   * @throws TollgateError `not_found` (project), `database_unavailable`
   */
  entitlements(projectId: string, customerId: string): Answer | Promise<Answer>;
  /** The customer's snapshot has changed: this process does not wait for the news of it. */
  forget(projectId: string, customerId: string): void;
  state(): ReaderState;
  counts(): CacheCounts;
  close(): Promise<void>;
}

const MEBIBYTE = 1024 * 1024;
const SNAPSHOT_BYTES = 128 * MEBIBYTE;
const ANSWER_BYTES = 16 * MEBIBYTE;
const FEATURES_BYTES = 8 * MEBIBYTE;
/** What a set costs for each of its texts. */
const SET_ENTRY_BYTES = 100;
/** How often a database that does not answer is complained about, in milliseconds. */
const COMPLAIN_EVERY_MS = 10_000;

/** Resolves once changes are heard, so that nothing is cached that could change unheard. */
export async function createEntitlementReader(options: EntitlementReaderOptions): Promise<EntitlementReader> {
  const { db, connection, clock, log } = options;
  let listening = () => false;
  const shared = {
    clock,
    ...DEFAULT_AGES,
    ...options.ages,
    heard: () => listening(),
    onFailure: complaints(log, clock),
  };
  const snapshots = new LoadingCache<CachedSnapshot>({
    ...shared,
    load: createSnapshotLoader(db),
    unchanged: createSnapshotComparer(db),
    sizeOf: ({ packed }, key) => Buffer.byteLength(packed) + Buffer.byteLength(key),
    same: sameSnapshot,
    maxBytes: options.snapshotBytes ?? SNAPSHOT_BYTES,
  });
  const features = new LoadingCache<KnownFeatures>({
    ...shared,
    load: (projectId) => loadFeatures(db, projectId),
    sizeOf: ({ codes }) => codes.size * SET_ENTRY_BYTES,
    same: sameFeatures,
    maxBytes: FEATURES_BYTES,
  });
  const answers = new Answers(options.answerBytes ?? ANSWER_BYTES);

  const heardSnapshots = await listen(
    connection,
    SNAPSHOTS_CHANNEL,
    (payload) => {
      const message = parseSnapshotMessage(payload);
      if (message === undefined) return;
      const key = snapshotKey(message.projectId, message.externalId);
      const known = snapshots.peek(key);
      if (known === undefined || known.version < message.version) snapshots.invalidate(key);
    },
    () => snapshots.doubt(),
    log,
  );
  const heardCatalogs = await listen(
    connection,
    CATALOG_CHANNEL,
    (projectId) => features.invalidate(projectId),
    () => features.doubt(),
    log,
  ).catch(async (error: unknown) => {
    await heardSnapshots.stop();
    throw error;
  });
  listening = () => heardSnapshots.connected() && heardCatalogs.connected();

  /** Answers without a promise when everything is in memory: most checks are. */
  function answer(
    projectId: string,
    customerId: string,
    make: (snapshot: CachedSnapshot, known: KnownFeatures) => Answer,
  ): Answer | Promise<Answer> {
    const known = features.get(projectId);
    const snapshot = snapshots.get(snapshotKey(projectId, customerId));
    if (known instanceof Promise || snapshot instanceof Promise) {
      return Promise.all([snapshot, known]).then(([readSnapshot, readFeatures]) => make(readSnapshot, readFeatures));
    }
    return make(snapshot, known);
  }

  return {
    decide: (projectId, customerId, feature) =>
      answer(projectId, customerId, (snapshot, known) =>
        answers.decision({ projectId, customerId, snapshot, features: known }, feature, clock.now()),
      ),
    entitlements: (projectId, customerId) =>
      answer(projectId, customerId, (snapshot, known) =>
        answers.entitlements({ projectId, customerId, snapshot, features: known }, clock.now()),
      ),
    forget: (projectId, customerId) => snapshots.invalidate(snapshotKey(projectId, customerId)),
    state: () => ({ listening: listening(), stale: snapshots.failing() || features.failing() }),
    counts: () => snapshots.counts(),
    close: async () => {
      listening = () => false;
      await Promise.all([heardSnapshots.stop(), heardCatalogs.stop()]);
    },
  };
}

/** An outage meets every request: it is logged now and then, loudly. */
function complaints(log: Log, clock: Clock): (error: unknown, stale: boolean) => void {
  let complainedAt = Number.NEGATIVE_INFINITY;
  return (error, stale) => {
    if (Math.abs(clock.now() - complainedAt) < COMPLAIN_EVERY_MS) return;
    complainedAt = clock.now();
    log.error(
      { err: error, stale },
      stale
        ? 'Entitlements cannot be read: what was read up to 15 minutes ago answers in their place'
        : 'Entitlements cannot be read, and nothing is cached that could answer: refusing',
    );
  };
}
