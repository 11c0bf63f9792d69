import type { ExplainedSource, Verdict } from '@tollgate/core';
import { Type } from 'typebox';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { App } from '../platform/http/app.ts';
import {
  AskedFeature,
  Closed,
  CustomerId,
  Nullable,
  named,
  OneOf,
  Timestamp,
  WithProject,
} from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import { CauseView } from './cause-view.ts';
import { type ExplainedDecision, explainDecision } from './explain.ts';
import { decisionFields, decisionFieldsOf, iso, isoOrNull, REASONS, SOURCE_TYPES } from './views.ts';

const VERDICTS = [
  'won',
  'contributes',
  'overruled',
  'barred',
  'not_yet',
  'ended',
  'never',
] as const satisfies readonly Verdict[];

const ExplainedSourceView = named(
  'ExplainedSource',
  Closed({
    type: OneOf(SOURCE_TYPES),
    id: Type.String(),
    via: Nullable(Type.String({ description: 'The price or product whose mapping applied; null for a grant.' })),
    effect: OneOf(['allow', 'deny']),
    value: Nullable(Type.Integer()),
    unlimited: Type.Boolean(),
    verdict: OneOf(VERDICTS, {
      description:
        '`won` gives the answer, `contributes` entitles too, `overruled` would but a deny grant forbids, `barred` would but the payment for it was refunded or is disputed, `not_yet` and `ended` lie outside their windows, `never` gives nothing at any time.',
    }),
    reason: OneOf(REASONS),
    note: Type.String({ description: 'The verdict in one sentence.' }),
    windows: Type.Array(Closed({ from: Timestamp, to: Nullable(Timestamp), reason: OneOf(REASONS) })),
    barred: Type.Array(
      Closed({
        from: Timestamp,
        to: Nullable(Timestamp),
        reason: OneOf(['refunded', 'disputed']),
        payment: Type.String({ description: "The payment (`pi_…`) of the subscription's invoice." }),
      }),
      { description: 'What refunds and disputes took out of the windows.' },
    ),
    ended_at: Nullable(Timestamp),
    period_end: Nullable(Timestamp),
    will_renew: Type.Boolean(),
  }),
);

const ExplanationView = named(
  'Explanation',
  Closed({
    object: Type.Literal('explanation'),
    customer_id: Type.String(),
    feature: Type.String(),
    as_of: Timestamp,
    known_at: Timestamp,
    version: Type.Integer({ description: 'The snapshot version that answers; 0 when nothing was known.' }),
    recorded_at: Nullable(Timestamp),
    cause: Nullable(CauseView),
    ...decisionFields,
    summary: Type.String({ description: 'Why the answer is what it is, in one sentence.' }),
    next_change_at: Nullable(Timestamp),
    sources: Type.Array(ExplainedSourceView),
  }),
);

export function registerExplainRoute(app: App, deps: { db: Database; clock: Clock }): void {
  app.get(
    '/api/v1/explain',
    {
      config: { access: { scope: 'entitlements:read' } },
      schema: {
        tags: ['Entitlements'],
        summary: 'Explain a decision',
        description:
          'The decision with every source that was considered, its windows, verdict and reason, and why the winner won; at any moment (`as_of`), by what was known at any moment (`known_at`).',
        querystring: WithProject({
          customer_id: CustomerId,
          feature: AskedFeature,
          as_of: Type.Optional(Timestamp),
          known_at: Type.Optional(Timestamp),
        }),
        response: { 200: ExplanationView },
      },
    },
    async (request) => {
      const { customer_id, feature, as_of, known_at } = request.query;
      const explained = await explainDecision(deps, {
        projectId: await requestedProject(request, deps.db),
        customerId: customer_id,
        feature,
        asOf: as_of === undefined ? undefined : new Date(as_of),
        knownAt: known_at === undefined ? undefined : new Date(known_at),
      });
      return explanationView(customer_id, feature, explained);
    },
  );
}

function explanationView(customerId: string, feature: string, explained: ExplainedDecision) {
  const { asOf, knownAt, source, explanation } = explained;
  return {
    object: 'explanation' as const,
    customer_id: customerId,
    feature,
    as_of: asOf.toISOString(),
    known_at: knownAt.toISOString(),
    version: source?.version ?? 0,
    recorded_at: source?.recordedAt.toISOString() ?? null,
    cause: source?.cause ?? null,
    ...decisionFieldsOf(explanation.decision),
    summary: explanation.summary,
    next_change_at: isoOrNull(explanation.nextChangeAt),
    sources: explanation.sources.map(explainedSourceView),
  };
}

function explainedSourceView(source: ExplainedSource) {
  const { type, id, via, effect, value, unlimited, verdict, reason, note } = source;
  return {
    ...{ type, id, via, effect, value, unlimited, verdict, reason, note },
    windows: source.windows.map((window) => ({
      from: iso(window.from),
      to: isoOrNull(window.to),
      reason: window.reason,
    })),
    barred: (source.barred ?? []).map(({ from, to, reason, paymentId }) => ({
      from: iso(from),
      to: isoOrNull(to),
      reason,
      payment: paymentId,
    })),
    ended_at: isoOrNull(source.endedAt),
    period_end: isoOrNull(source.periodEnd),
    will_renew: source.willRenew,
  };
}
