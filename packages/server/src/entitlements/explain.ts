import { type Explanation, explain } from '@tollgate/core';
import { findCustomer } from '../customers/find.ts';
import type { Cause } from '../facts/cause.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { findVersion } from './find-version.ts';

export interface Question {
  projectId: string;
  /** The app's own id. */
  customerId: string;
  feature: string;
  /** The moment asked about; without it now. */
  asOf: Date | undefined;
  /** What was known then; without it all that is known. */
  knownAt: Date | undefined;
}

export interface ExplainedDecision {
  asOf: Date;
  knownAt: Date;
  /** The version that answers; null when nothing was known of the customer. */
  source: { version: number; cause: Cause; recordedAt: Date } | null;
  explanation: Explanation;
}

/** Why a customer may or may not use a feature, at any moment and by what was known at any other. */
export async function explainDecision(
  { db, clock }: { db: Database; clock: Clock },
  { projectId, customerId, feature, asOf, knownAt }: Question,
): Promise<ExplainedDecision> {
  const now = new Date(clock.now());
  const customer = await findCustomer(db, projectId, customerId);
  const found = customer && (await findVersion(db, customer.id, knownAt));
  const body = found?.body ?? { features: {} };
  const exists = Object.hasOwn(body.features, feature) || (await existed(db, projectId, feature, knownAt));
  return {
    asOf: asOf ?? now,
    knownAt: knownAt ?? now,
    source: found ? { version: found.version, cause: found.cause, recordedAt: found.recordedAt } : null,
    explanation: explain(body, exists, feature, (asOf ?? now).getTime()),
  };
}

async function existed(db: Database, projectId: string, code: string, at: Date | undefined): Promise<boolean> {
  const row = await db
    .selectFrom('tollgate.features')
    .select('created_at')
    .where('project_id', '=', projectId)
    .where('code', '=', code)
    .executeTakeFirst();
  return row !== undefined && (at === undefined || row.created_at <= at);
}
