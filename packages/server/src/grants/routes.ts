import { type Static, Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import { sourceView } from '../entitlements/views.ts';
import { TollgateError } from '../platform/errors.ts';
import type { App } from '../platform/http/app.ts';
import { repeatKey } from '../platform/http/repeat-key.ts';
import {
  Actor,
  Closed,
  CustomerId,
  FeatureCode,
  Nullable,
  named,
  OneOf,
  ProjectId,
  ReasonText,
  Timestamp,
} from '../platform/http/schemas.ts';
import type { GrantDeps } from './deps.ts';
import { grantFeature } from './grant-feature.ts';
import { type RevocationTarget, revokeGrants } from './revoke-grants.ts';
import { GrantView, grantView, RevocationView } from './views.ts';

const admin = { access: { admin: true } } as const;

const GrantBody = named(
  'GrantRequest',
  Closed({
    project_id: ProjectId,
    customer_id: CustomerId,
    feature: FeatureCode,
    effect: Type.Optional(
      OneOf(['allow', 'deny'], { default: 'allow', description: '`deny` beats every source while it holds.' }),
    ),
    value: Type.Optional(
      Nullable(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'The amount of a `limit`.' })),
    ),
    unlimited: Type.Optional(Type.Boolean({ description: 'A `limit` without an end, instead of a value.' })),
    valid_from: Type.Optional(Nullable(Timestamp)),
    valid_to: Type.Optional(Nullable(Timestamp)),
    reason: ReasonText,
    actor: Type.Optional(Actor),
  }),
);

const RevokeBody = named(
  'RevokeRequest',
  Closed(
    {
      grant_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
      project_id: Type.Optional(ProjectId),
      customer_id: Type.Optional(CustomerId),
      feature: Type.Optional(FeatureCode),
      reason: ReasonText,
      actor: Type.Optional(Actor),
    },
    { description: 'Either `grant_id`, or `project_id`, `customer_id` and `feature`.' },
  ),
);

/** Giving and taking by hand, over HTTP, for operators. */
export function registerGrantRoutes(app: App, deps: GrantDeps): void {
  app.post(
    '/api/v1/admin/grant',
    {
      config: admin,
      schema: {
        tags: ['Grants'],
        summary: 'Grant or deny a feature',
        description:
          'Gives a customer a feature by hand, from now on or for a window of time; the customer need not have bought anything, nor be known. `deny` forbids it instead, whatever else gives it.',
        body: GrantBody,
        response: { 201: GrantView },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const input = {
        projectId: body.project_id,
        customerId: body.customer_id,
        feature: body.feature,
        effect: body.effect ?? 'allow',
        value: body.value ?? null,
        unlimited: body.unlimited ?? false,
        validFrom: momentOf(body.valid_from) ?? undefined,
        validTo: momentOf(body.valid_to),
        reason: body.reason,
        repeatKey: repeatKey(request),
      };
      const grant = await grantFeature(deps, input, auditContextOf(request, body.actor));
      return reply.code(201).send(grantView(grant, body.customer_id));
    },
  );

  app.post(
    '/api/v1/admin/revoke',
    {
      config: admin,
      schema: {
        tags: ['Grants'],
        summary: 'Revoke grants',
        description:
          'Takes back one grant, or all that were given by hand of one feature, and says what still gives it. A `deny` is lifted by its `grant_id` alone. Subscriptions and purchases are not touched.',
        body: RevokeBody,
        response: { 200: RevocationView },
      },
    },
    async (request) => {
      const { body } = request;
      const context = auditContextOf(request, body.actor);
      const { customerId, ...result } = await revokeGrants(deps, targetOf(body), body.reason, context);
      return {
        object: 'revocation' as const,
        revoked: result.revoked.map((grant) => grantView(grant, customerId)),
        still_entitled: result.stillEntitled,
        remaining_sources: result.remainingSources.map(sourceView),
      };
    },
  );
}

function momentOf(text: string | null | undefined): Date | null {
  return text === null || text === undefined ? null : new Date(text);
}

function targetOf(body: Static<typeof RevokeBody>): RevocationTarget {
  const { grant_id: grantId, project_id: projectId, customer_id: customerId, feature } = body;
  if (grantId !== undefined) {
    const beside = (['project_id', 'customer_id', 'feature'] as const).filter((name) => body[name] !== undefined);
    if (beside.length === 0) return { grantId };
    throw new TollgateError(
      'invalid_request',
      'A grant_id says it all: send it alone, or project_id, customer_id and feature.',
      beside.map((path) => ({ path, message: 'cannot stand beside grant_id' })),
    );
  }
  if (projectId !== undefined && customerId !== undefined && feature !== undefined) {
    return { projectId, customerId, feature };
  }
  const missing = (['project_id', 'customer_id', 'feature'] as const).filter((name) => body[name] === undefined);
  throw new TollgateError(
    'invalid_request',
    'Send grant_id, or project_id, customer_id and feature.',
    missing.map((path) => ({ path, message: 'is required without grant_id' })),
  );
}
