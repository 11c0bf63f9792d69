import { hash } from 'node:crypto';
import { decide, evaluate, type Instant, nextBoundaryAt } from '@tollgate/core';
import { LRUCache } from 'lru-cache';
import { type Prepared, prepare } from '../platform/http/prepared.ts';
import type { KnownFeatures } from './load-features.ts';
import { type CachedSnapshot, snapshotKey } from './load-snapshots.ts';
import { unpackSnapshot } from './packed-snapshot.ts';
import { decisionView, entitlementsView } from './views.ts';

/** Who is asked about, and what is known of them. */
export interface Known {
  projectId: string;
  /** The app's own id. */
  customerId: string;
  snapshot: CachedSnapshot;
  features: KnownFeatures;
}

export interface Answer extends Prepared {
  /** Changes with version and window; quoted, as the header wants it. Empty for a decision, which has none. */
  readonly etag: string;
}

interface Remembered extends Answer {
  readonly snapshot: number;
  readonly features: number;
  /** The answer is the same from here … */
  readonly from: Instant;
  /** … to here. */
  readonly until: Instant;
}

/** What an answer costs in memory beside its text and its key. */
const ENTRY_BYTES = 300;

/**
 * Makes the answers of checks out of snapshots, and remembers their text until a window of the snapshot begins or ends.
 * An answer is recognised by what it was made from, so that nothing has to invalidate it.
 */
export class Answers {
  readonly #remembered: LRUCache<string, Remembered>;

  constructor(maxBytes: number) {
    this.#remembered = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ length }, key) => ENTRY_BYTES + length + Buffer.byteLength(key),
    });
  }

  /** One decision, as `GET /check` answers it. */
  decision(known: Known, feature: string, now: Instant): Answer {
    // A third line, so that it is no key of a snapshot.
    const key = `${known.projectId}\n${known.customerId}\n${feature}`;
    const remembered = this.#find(key, known, now);
    if (remembered !== undefined) return remembered;
    const { customerId, snapshot, features } = known;
    const body = unpackSnapshot(snapshot.packed);
    // A feature that a snapshot speaks of exists, though the news of it may still be on its way here.
    const exists = features.codes.has(feature) || Object.hasOwn(body.features, feature);
    const decision = decide(body, exists, feature, now);
    const text = JSON.stringify(decisionView(customerId, feature, snapshot.version, decision));
    return this.#remember(key, known, { ...prepare(text), etag: '' }, now, nextBoundaryAt(body, now));
  }

  /** Everything that the customer is entitled to, as `GET /entitlements` answers it. */
  entitlements(known: Known, now: Instant): Answer {
    const key = snapshotKey(known.projectId, known.customerId);
    const remembered = this.#find(key, known, now);
    if (remembered !== undefined) return remembered;
    const { projectId, customerId, snapshot } = known;
    const body = unpackSnapshot(snapshot.packed);
    const text = JSON.stringify(entitlementsView(projectId, customerId, snapshot.version, evaluate(body, now)));
    const etag = `"${snapshot.version}-${hash('sha256', text, 'base64url').slice(0, 16)}"`;
    return this.#remember(key, known, { ...prepare(text), etag }, now, nextBoundaryAt(body, now));
  }

  #find(key: string, { snapshot, features }: Known, now: Instant): Remembered | undefined {
    const remembered = this.#remembered.get(key);
    if (remembered === undefined || now < remembered.from || now >= remembered.until) return undefined;
    return remembered.snapshot === snapshot.serial && remembered.features === features.serial ? remembered : undefined;
  }

  #remember(key: string, known: Known, answer: Answer, from: Instant, until: Instant | null): Answer {
    this.#remembered.set(key, {
      ...answer,
      snapshot: known.snapshot.serial,
      features: known.features.serial,
      from,
      until: until ?? Number.POSITIVE_INFINITY,
    });
    return answer;
  }
}
