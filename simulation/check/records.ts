/** What must hold of everything that the service has written down. */
import { verifyAuditChain } from '../../packages/server/src/audit/verify.ts';
import type { Process } from '../engine/process.ts';
import { SimulationError } from '../engine/scheduler.ts';
import { keyOf } from '../model/ledger.ts';
import { monthlyRevenue } from '../model/revenue.ts';
import type { Stage } from '../story/stage.ts';
import { ask } from '../virtual/pg.ts';
import { Violation } from './violation.ts';

/** Each acknowledged event is processed, ignored, parked with a reason, or visibly dead. */
export async function eventsHaveEnded({ ledger }: Stage): Promise<void> {
  const rows = await ask(`select id, type, status, reason from tollgate.events`);
  const known = new Map(rows.map((row) => [row.id, row]));
  for (const id of ledger.acknowledged) {
    if (!known.has(id))
      throw new Violation('acknowledged', `The event ${id} was acknowledged, and is not in the inbox.`);
  }
  for (const { id, type, status, reason } of rows) {
    const ended = status === 'processed' || ((status === 'ignored' || status === 'parked') && reason !== null);
    if (!ended) throw new Violation('events', `The event ${id} (${type}) is ${status}: ${reason}`);
  }
}

/** Versions grow by one, each for a change; nothing has two effects. */
export async function versionsGrowByOne(): Promise<void> {
  const gaps = await ask(`
    select customer_id, version, row_number() over (partition by project_id, customer_id order by version) as place
      from tollgate.snapshot_versions`);
  for (const { customer_id: customer, version, place } of gaps) {
    if (Number(version) !== Number(place))
      throw new Violation('versions', `${customer} has no version ${place}, but ${version}.`);
  }
  const backwards = await ask(`
    select customer_id, version from (
      select customer_id, version, recorded_at, lag(recorded_at) over (partition by project_id, customer_id order by version) as before
        from tollgate.snapshot_versions) versions where recorded_at < before`);
  if (backwards.length > 0)
    throw new Violation(
      'versions',
      `Version ${backwards[0].version} of ${backwards[0].customer_id} is older than the one before.`,
    );
  const equal = await ask(`
    select object_id from (
      select kind, object_id, project_id, customer_id, body::jsonb as body,
             lag(body::jsonb) over facts as before, lag(customer_id) over facts as owner
        from tollgate.fact_versions window facts as (partition by project_id, kind, object_id order by id)) versions
     where body = before and customer_id = owner`);
  if (equal.length > 0) throw new Violation('versions', `Two versions of ${equal[0].object_id} in a row say the same.`);
  const unlike = await ask(`
    select snapshot.customer_id from tollgate.snapshots snapshot
      left join tollgate.snapshot_versions version using (project_id, customer_id, version)
     where version.body is null or version.body::jsonb <> snapshot.body::jsonb`);
  if (unlike.length > 0)
    throw new Violation('versions', `The snapshot of ${unlike[0].customer_id} is not its last version.`);
}

/** A subscription that has ended in Stripe has ended for good: no later version of it says otherwise. */
export async function endsAreFinal(): Promise<void> {
  const [revived] = await ask(`
    select object_id, before, status from (
      select object_id, body::jsonb ->> 'status' as status,
             lag(body::jsonb ->> 'status') over (partition by project_id, object_id order by id) as before
        from tollgate.fact_versions where kind = 'subscription') versions
     where before in ('canceled', 'incomplete_expired') and status <> before`);
  if (revived !== undefined)
    throw new Violation(
      'ends_are_final',
      `${revived.object_id} was ${revived.before}, and is ${revived.status} again.`,
    );
}

/** One purchase and one grant for each that there was. */
export async function nothingTwice({ ledger, people, universe }: Stage, whom: ReadonlySet<number>): Promise<void> {
  for (const { person, project } of people.filter((_, number) => whom.has(number))) {
    const { status, body } = await universe.ask('GET', `/customers/${person.customer}`, { key: project.key });
    if (status === 404) continue;
    if (status !== 200) throw new Violation('answers', `customers answered ${status}`);
    const known = ledger.grantsOf(person).length;
    if (body.grants.length !== known) {
      throw new Violation('double_effect', `${keyOf(person)} has ${body.grants.length} grants; ${known} were made.`);
    }
    const keys = [...body.subscriptions, ...body.purchases].map(({ id }: { id: string }) => id);
    if (new Set(keys).size !== keys.length)
      throw new Violation('double_effect', `${keyOf(person)} has something twice.`);
  }
}

export async function revenueAddsUp({ ledger, projects, universe }: Stage): Promise<void> {
  for (const { id, key } of projects) {
    const { status, body } = await universe.ask('GET', '/metrics/summary', { key });
    if (status !== 200) throw new Violation('answers', `metrics/summary answered ${status}`);
    const expected = monthlyRevenue(universe.world, (sub) => ledger.ownerOf(sub)?.project === id);
    const got = body.mrr.reduce((sum: number, { amount }: { amount: number }) => sum + amount, 0);
    if (got !== expected)
      throw new Violation('revenue', `MRR of ${id} is ${got}; Stripe's subscriptions add up to ${expected}.`);
  }
}

export async function auditHolds(process: Process, { universe }: Stage): Promise<void> {
  const verdict = await universe.scheduler.runFor(verifyAuditChain(process.db));
  if (!verdict.intact)
    throw new Violation('audit', `The audit trail is broken at ${verdict.brokenAt.id}: ${verdict.why}.`);
}

/** Sold to somebody unknown, or never heard of before its customer was deleted in Stripe and another took that one's place. */
function isNobodys({ ownerless, universe }: Stage, id: string): boolean {
  const { store } = universe.world;
  const subscription = store.get('subscription', id);
  const isOrphan = subscription !== undefined && store.get('customer', subscription.customer) === undefined;
  return isOrphan || ownerless.some((known) => known.subscription === id);
}

/**
 * Compares everything with Stripe and repairs; then a second one finds nothing but what nobody has been named for.
 * @returns the objects that differed
 */
export async function reconcile(stage: Stage, expectNone: boolean): Promise<string[]> {
  const { universe } = stage;
  const begun = await universe.scheduler.runFor(universe.ask('POST', '/admin/reconcile', { body: {} }));
  if (begun.status !== 202)
    throw new Violation('reconciliation', `A reconciliation could not begin: ${JSON.stringify(begun.body)}`);
  await universe.settle();
  const run = await universe.scheduler.runFor(
    universe.ask('GET', `/admin/reconciliations/${begun.body.id}?limit=1000`),
  );
  if (run.body.status !== 'completed')
    throw new Violation('reconciliation', `It ended as ${run.body.status}: ${JSON.stringify(run.body)}`);
  if (run.body.drifts_has_more) throw new SimulationError('There are more drifts than a page of them shows.');
  const drifts = run.body.drifts.filter(
    ({ object_id: id, action }: { object_id: string; action: string }) =>
      action !== 'needs_person' || !isNobodys(stage, id),
  );
  if (expectNone && drifts.length > 0) {
    throw new Violation(
      'reconciliation',
      `A reconciliation found ${drifts.length} differences where none should be: ${JSON.stringify(drifts).slice(0, 3_000)}`,
    );
  }
  return drifts.map(({ object_id: id }: { object_id: string }) => id);
}
