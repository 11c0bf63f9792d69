/** Runs and drifts as the API shows them. */
import { type Static, Type } from 'typebox';
import { Closed, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import { CAUSES } from './cause.ts';
import type { DriftRow, RunWithDrifts } from './find-runs.ts';
import { DRIFT_KINDS, KIND_NAMES } from './kind.ts';
import { countsOf, placeOf } from './progress.ts';
import { ACTIONS } from './record-drift.ts';
import { stepName, stepsOf } from './steps.ts';

export const RUN_TRIGGERS = ['manual', 'schedule', 'continuous'] as const;
export const RUN_STATUSES = ['queued', 'running', 'completed', 'failed'] as const;
const OBJECTS = [...KIND_NAMES, 'grant', 'snapshot'] as const;

/** The answer to starting a run. */
export const StartedRunView = named(
  'StartedReconciliation',
  Closed({ object: Type.Literal('reconciliation_run'), id: Type.String(), status: OneOf(RUN_STATUSES) }),
);

const RUN = {
  object: Type.Literal('reconciliation_run'),
  id: Type.String(),
  status: OneOf(RUN_STATUSES, { description: '`completed` only when every step was gone through.' }),
  project_id: Nullable(Type.String({ description: 'Null: every project.' })),
  customer_id: Nullable(Type.String({ description: 'Null: every customer.' })),
  dry_run: Type.Boolean(),
  trigger: OneOf(RUN_TRIGGERS, {
    description: '`continuous`: what the check that goes on all the time found in one go.',
  }),
  progress: Closed({
    step: Nullable(Type.String({ description: '`default/listed/subscription`; null before the first page.' })),
    steps_done: Type.Integer(),
    steps_total: Type.Integer(),
    objects_done: Type.Integer(),
    objects_expected: Type.Integer({ description: 'As far as they were known at the start; Stripe may have more.' }),
    percent: Type.Integer({ minimum: 0, maximum: 100, description: '100 only when the run is completed.' }),
  }),
  counts: Closed({
    listed: Type.Integer({ description: "Objects in Stripe's lists." }),
    asked: Type.Integer({ description: 'Stored objects that were in no list, asked for one by one.' }),
    in_sync: Type.Integer(),
    ignored: Type.Integer({ description: 'Not of this installation, or nothing that is kept.' }),
    parked: Type.Integer({ description: 'Perhaps of this installation; nobody can say whose.' }),
    proven: Type.Integer({ description: 'Facts and snapshots that were compared with what they follow from.' }),
    drifts: Type.Integer(),
    repaired: Type.Integer(),
    resolved: Type.Integer({ description: 'Repaired by somebody else meanwhile, by a late webhook say.' }),
    would_repair: Type.Integer({ description: 'Of a dry run.' }),
    needs_person: Type.Integer({ description: 'Still different; each drift says what to do.' }),
  }),
  alert: Type.Boolean({ description: 'More differed than happens by itself.' }),
  error: Nullable(Type.String()),
  created_at: Timestamp,
  started_at: Nullable(Timestamp),
  heartbeat_at: Nullable(Timestamp),
  finished_at: Nullable(Timestamp),
};

export const RunView = named('ReconciliationRun', Closed(RUN));

const DriftView = named(
  'Drift',
  Closed({
    object: Type.Literal('drift'),
    id: Type.String(),
    connection: Type.String({ description: 'The Stripe connection that has the object.' }),
    kind: OneOf(DRIFT_KINDS),
    object_type: OneOf(OBJECTS),
    object_id: Type.String({ description: "Stripe's id; of a grant or a snapshot (its customer's) Tollgate's own." }),
    project_id: Nullable(Type.String()),
    customer_id: Nullable(Type.String({ description: "The app's own id; null where there is none (yet)." })),
    fields: Type.Array(
      Closed({
        field: Type.String({ description: '`items.0.current_period_end`' }),
        before: Type.Unknown({ description: 'What Tollgate had.' }),
        after: Type.Unknown({ description: 'What Stripe has.' }),
      }),
    ),
    cause: OneOf(CAUSES, {
      description:
        'Why, as far as it can be told. `event_not_delivered`: Stripe has an event about it that never came. `event_failed`, `event_parked`, `event_pending`: it came, and what became of it. `event_stale`: what was fetched for the last one had been overtaken. `event_processed`: all were processed. `ours`: what is stored contradicts itself. `no_event`: nobody knows of one. `unknown`: too many to look through.',
    }),
    action: OneOf(ACTIONS),
    detail: Nullable(Type.String({ description: 'What a person has to do.' })),
    arose_at: Nullable(Timestamp),
    detected_at: Timestamp,
    lasted_seconds: Nullable(
      Type.Integer({ description: 'From the earliest moment at which it can have arisen until it was found.' }),
    ),
  }),
);

export const RunWithDriftsView = named(
  'ReconciliationRunWithDrifts',
  Closed({
    ...RUN,
    drifts: Type.Array(DriftView, { description: 'In the order in which they were found.' }),
    drifts_has_more: Type.Boolean(),
    drifts_next_cursor: Nullable(Type.String()),
  }),
);

export function runView(run: RunWithDrifts, connectionIds: readonly string[]): Static<typeof RunView> {
  return {
    object: 'reconciliation_run',
    id: run.id,
    status: run.status,
    project_id: run.project_id,
    customer_id: run.external_id,
    dry_run: run.dry_run,
    trigger: run.trigger,
    progress: progressOf(run, connectionIds),
    counts: {
      ...countsOf(run),
      drifts: Object.values(run.actions).reduce((sum, count) => sum + count, 0),
      repaired: run.actions.repaired ?? 0,
      resolved: run.actions.resolved ?? 0,
      would_repair: run.actions.would_repair ?? 0,
      needs_person: run.actions.needs_person ?? 0,
    },
    alert: run.alert,
    error: run.error,
    created_at: run.created_at.toISOString(),
    started_at: run.started_at?.toISOString() ?? null,
    heartbeat_at: run.heartbeat_at?.toISOString() ?? null,
    finished_at: run.finished_at?.toISOString() ?? null,
  };
}

/** @param connectionIds - those that a run of everything goes through; of a project it is its own one */
function progressOf(run: RunWithDrifts, connectionIds: readonly string[]): Static<typeof RunView>['progress'] {
  const place = placeOf(run);
  const own = place?.step.split('/')[0];
  const ids = run.project_id === null ? connectionIds : [own ?? connectionIds[0] ?? 'default'];
  const steps = stepsOf({ projectId: run.project_id, customerId: run.customer_id }, ids).map(stepName);
  const { listed, asked, proven } = countsOf(run);
  const done = listed + asked + proven;
  const expected = Math.max(run.expected ?? 0, done);
  const completed = run.status === 'completed';
  const at = place === null ? 0 : Math.max(0, steps.indexOf(place.step));
  return {
    step: place?.step ?? null,
    steps_done: completed ? steps.length : at,
    steps_total: steps.length,
    objects_done: done,
    objects_expected: expected,
    percent: completed ? 100 : Math.min(99, Math.floor((100 * done) / Math.max(1, expected))),
  };
}

export function driftView(drift: DriftRow): Static<typeof DriftView> {
  return {
    object: 'drift',
    id: drift.id,
    connection: drift.connection_id,
    kind: drift.kind as Static<typeof DriftView>['kind'],
    object_type: drift.object_type as Static<typeof DriftView>['object_type'],
    object_id: drift.object_id,
    project_id: drift.project_id,
    customer_id: drift.external_id,
    fields: drift.fields as Static<typeof DriftView>['fields'],
    cause: drift.cause as Static<typeof DriftView>['cause'],
    action: drift.action as Static<typeof DriftView>['action'],
    detail: drift.detail,
    arose_at: drift.arose_at?.toISOString() ?? null,
    detected_at: drift.detected_at.toISOString(),
    lasted_seconds: lasted(drift),
  };
}

function lasted({ arose_at: from, detected_at: until }: DriftRow): number | null {
  return from === null ? null : Math.max(0, Math.round((until.getTime() - from.getTime()) / 1000));
}
