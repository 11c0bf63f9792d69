import type { MirrorDeps } from '../mirror/types.ts';
import { askingOf, type Manner } from '../stripe/manner.ts';
import { examinePage } from './examine.ts';
import type { Kind, Look } from './kind.ts';
import { KINDS } from './kinds.ts';
import { KnownAccounts } from './known-accounts.ts';
import { countsOf, saveProgress } from './progress.ts';
import type { Scope } from './scope.ts';
import type { SettleDeps } from './settle-drift.ts';
import type { RunRow } from './start-run.ts';
import { type Step, stepName } from './steps.ts';
import { UndeliveredEvents } from './undelivered-events.ts';

export interface ReconcileDeps extends MirrorDeps {
  /** The types of events that an endpoint in Stripe takes. */
  eventTypes: readonly string[];
}

export interface Working extends SettleDeps, Manner {
  signal: AbortSignal;
}

/** What there is to work with; which events never came, and whose the accounts are, is found out once a run. */
export function workingWith(deps: ReconcileDeps, manner: Manner, signal: AbortSignal): Working {
  const noticed = { undelivered: new UndeliveredEvents(deps.eventTypes), accounts: new KnownAccounts() };
  return { ...deps, ...noticed, ...manner, signal };
}

/** How a run looks at one connection: at an agreed pace, and patiently. */
export function lookAt(deps: Omit<Working, 'pageSize'>, connectionId: string, scope: Scope): Look {
  const connection = deps.connections.get(connectionId);
  return { db: deps.db, connection, scope, ask: askingOf(deps, connection.id) };
}

/**
 * Goes through one step, page by page, and writes down where it is after each.
 * @param from - the last object of the last page that was done with; null: from the start
 * @returns the run as it is afterwards
 * @throws Overtaken when another process goes on with the run
 */
export async function workStep(
  deps: Working,
  begun: RunRow,
  step: Exclude<Step, { what: 'proven' }>,
  from: string | null,
): Promise<RunRow> {
  const kind: Kind<{ id: string }> = KINDS[step.kind];
  const look = lookAt(deps, step.connectionId, { projectId: begun.project_id, customerId: begun.customer_id });
  const pages =
    step.what === 'listed'
      ? listedPages(look, kind, deps.pageSize, from)
      : unmetPages(look, kind, begun, deps.pageSize, from);
  let run = begun;
  let after = from;
  for await (const items of pages) {
    deps.signal.throwIfAborted();
    const { counted, met, over } = await examinePage(deps, look, run, kind, items, deps.signal);
    const counts = countsOf(run);
    for (const [name, more] of Object.entries(counted)) counts[name as keyof typeof counts] += more;
    counts[step.what === 'listed' ? 'listed' : 'asked'] += items.length;
    after = idOf(items.at(-1)) ?? after;
    const seen = { connectionId: look.connection.id, kind: kind.name, ids: met, over };
    run = await saveProgress(deps.db, run, {
      place: { step: stepName(step), after },
      counts,
      seen,
      now: deps.clock.now(),
    });
  }
  return run;
}

type Item = { id: string } | string;

/** Stripe's list; the next page is on its way while one is compared. */
async function* listedPages(
  look: Look,
  kind: Kind<{ id: string }>,
  limit: number,
  from: string | null,
): AsyncGenerator<readonly Item[]> {
  const ask = (after: string | null) =>
    look.ask(kind.name, () => kind.list(look, { limit, startingAfter: after ?? undefined }));
  let coming = ask(from);
  for (;;) {
    const { data, has_more } = await coming;
    const last = data.at(-1);
    const more = has_more && last !== undefined;
    if (more) {
      coming = ask(last.id);
      // If nobody comes for it, because this page fails, its own failure is of no interest.
      coming.catch(() => {});
    }
    yield data;
    if (!more) return;
  }
}

/** The ids of what is stored and was in no list. */
async function* unmetPages(
  look: Look,
  kind: Kind<{ id: string }>,
  { seen_since: since }: RunRow,
  limit: number,
  from: string | null,
): AsyncGenerator<readonly Item[]> {
  let after = from ?? '';
  for (;;) {
    const ids = await kind.unmet(look, { since: since ?? new Date(0), after, limit });
    yield ids;
    if (ids.length < limit) return;
    after = ids.at(-1) ?? after;
  }
}

function idOf(item: Item | undefined): string | null {
  return item === undefined ? null : typeof item === 'string' ? item : item.id;
}
