import type { SnapshotBody } from '@tollgate/core';
import { CompiledQuery } from 'kysely';
import type { Database } from '../platform/database.ts';
import { packSnapshot } from './packed-snapshot.ts';

/** A customer's snapshot as the cache keeps it. */
export interface CachedSnapshot {
  /** Unlike that of any other in this process: what was made from this one is recognised by it. */
  readonly serial: number;
  /** 0 for a customer who was never seen. */
  readonly version: number;
  /** The body, by `packSnapshot`. */
  readonly packed: string;
}

/** The key under which a customer's snapshot is cached. Neither part holds a line break. */
export function snapshotKey(projectId: string, customerId: string): string {
  return `${projectId}\n${customerId}`;
}

export function sameSnapshot(a: CachedSnapshot, b: CachedSnapshot): boolean {
  return a.version === b.version && a.packed === b.packed;
}

interface Waiting {
  promise: Promise<CachedSnapshot>;
  resolve: (snapshot: CachedSnapshot) => void;
  reject: (error: unknown) => void;
}

interface Row {
  external_id: string;
  version: number;
  body: SnapshotBody;
}

/** Written out, since building it for every read would cost a good part of the read. */
const BY_PRIMARY_KEY =
  'select external_id, version, body from tollgate.snapshots where project_id = $1 and external_id = any($2)';

let serials = 0;

/**
 * Reads snapshots by primary key. Those that are asked for in the same moment, as by one request with many checks, are
 * read together.
 * @returns a function of `snapshotKey`
 */
export function createSnapshotLoader(db: Database): (key: string) => Promise<CachedSnapshot> {
  /** Project → customer → who waits. */
  let waiting = new Map<string, Map<string, Waiting>>();

  function flush(): void {
    const projects = waiting;
    waiting = new Map();
    for (const [projectId, customers] of projects) void read(projectId, customers);
  }

  async function read(projectId: string, customers: Map<string, Waiting>): Promise<void> {
    try {
      const { rows } = await db.executeQuery<Row>(
        CompiledQuery.raw(BY_PRIMARY_KEY, [projectId, [...customers.keys()]]),
      );
      const found = new Map(rows.map((row) => [row.external_id, row]));
      for (const [customerId, { resolve }] of customers) {
        const row = found.get(customerId);
        serials += 1;
        resolve({ serial: serials, version: row?.version ?? 0, packed: packSnapshot(row?.body ?? { features: {} }) });
      }
    } catch (error) {
      for (const { reject } of customers.values()) reject(error);
    }
  }

  return (key) => {
    const separator = key.indexOf('\n');
    const projectId = key.slice(0, separator);
    const customerId = key.slice(separator + 1);
    if (waiting.size === 0) queueMicrotask(flush);
    const customers = waiting.get(projectId) ?? new Map<string, Waiting>();
    waiting.set(projectId, customers);
    const known = customers.get(customerId);
    if (known !== undefined) return known.promise;
    const waiter: Waiting = Promise.withResolvers<CachedSnapshot>();
    customers.set(customerId, waiter);
    return waiter.promise;
  };
}

const VERSIONS = 'select external_id, version from tollgate.snapshots where project_id = $1 and external_id = any($2)';

/**
 * Tells which of the remembered snapshots are still the latest, by their versions alone.
 * @returns a function of what is remembered by `snapshotKey`, which answers with the keys of those
 */
export function createSnapshotComparer(
  db: Database,
): (remembered: ReadonlyMap<string, CachedSnapshot>) => Promise<string[]> {
  return async (remembered) => {
    const byProject = new Map<string, Map<string, number>>();
    for (const [key, { version }] of remembered) {
      const [projectId = '', customerId = ''] = key.split('\n');
      const customers = byProject.get(projectId) ?? new Map<string, number>();
      byProject.set(projectId, customers.set(customerId, version));
    }
    const unchanged: string[] = [];
    for (const [projectId, customers] of byProject) {
      const { rows } = await db.executeQuery<Pick<Row, 'external_id' | 'version'>>(
        CompiledQuery.raw(VERSIONS, [projectId, [...customers.keys()]]),
      );
      const latest = new Map(rows.map((row) => [row.external_id, row.version]));
      for (const [customerId, version] of customers) {
        if ((latest.get(customerId) ?? 0) === version) unchanged.push(snapshotKey(projectId, customerId));
      }
    }
    return unchanged;
  };
}
