import type { AccessPolicy } from '@tollgate/core';
import { type Static, Type } from 'typebox';
import { type FieldError, TollgateError } from '../platform/errors.ts';
import { Closed, named, OneOf } from '../platform/http/schemas.ts';
import { originProblem } from './origins.ts';

const DAYS = { minimum: 0, maximum: 90 };
const HOURS = { minimum: 0, maximum: 720 };
const MAX_ORIGINS = 50;

const fields = {
  past_due_grace_days: Type.Integer({ ...DAYS, description: 'Days of access after a renewal was not paid.' }),
  renewal_slack_hours: Type.Integer({
    ...HOURS,
    description: 'Hours that access outlasts the paid period, while Stripe renews and its webhook travels.',
  }),
  pause_collection: OneOf(['grant', 'deny'], { description: 'Access while collection is paused.' }),
  trial: OneOf(['grant', 'deny'], { description: 'Access during a trial, before anything was paid.' }),
  dispute: OneOf(['suspend', 'keep'], { description: 'What an open dispute does to what the payment bought.' }),
  partial_refund: OneOf(['keep', 'revoke'], {
    description:
      "What a refund in part does to a purchase, and where subscription_refund is `revoke_period`, to a subscription's period.",
  }),
  subscription_refund: OneOf(['ignore', 'revoke_period'], {
    description:
      "What the refund of a subscription's invoice does to the period that it paid for: nothing, or end access to it.",
  }),
  redirect_origins: Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
    maxItems: MAX_ORIGINS,
    uniqueItems: true,
    description: 'Where checkout and portal may send people. Empty: any https origin, and http on loopback.',
  }),
};

/** The policy as the API shows it. */
export const AccessPolicySchema = named('AccessPolicy', Closed(fields));
/** A change of the policy: what is left out stays as it is. */
export const AccessPolicyPatch = named(
  'AccessPolicyPatch',
  Type.Partial(Closed(fields), { additionalProperties: false }),
);

export type AccessPolicyWire = Static<ReturnType<typeof Closed<typeof fields>>>;
export type AccessPolicyPatchWire = Static<typeof AccessPolicyPatch>;

export function policyToWire(policy: AccessPolicy): AccessPolicyWire {
  return {
    past_due_grace_days: policy.pastDueGraceDays,
    renewal_slack_hours: policy.renewalSlackHours,
    pause_collection: policy.pauseCollection,
    trial: policy.trial,
    dispute: policy.dispute,
    partial_refund: policy.partialRefund,
    subscription_refund: policy.subscriptionRefund,
    redirect_origins: [...policy.redirectOrigins],
  };
}

/**
 * A policy with the changes of a validated patch.
 * @throws TollgateError `invalid_request` when a redirect origin is none
 */
export function patchedPolicy(policy: AccessPolicy, patch: AccessPolicyPatchWire): AccessPolicy {
  refuseBadOrigins(patch.redirect_origins ?? []);
  return {
    pastDueGraceDays: patch.past_due_grace_days ?? policy.pastDueGraceDays,
    renewalSlackHours: patch.renewal_slack_hours ?? policy.renewalSlackHours,
    pauseCollection: patch.pause_collection ?? policy.pauseCollection,
    trial: patch.trial ?? policy.trial,
    dispute: patch.dispute ?? policy.dispute,
    partialRefund: patch.partial_refund ?? policy.partialRefund,
    subscriptionRefund: patch.subscription_refund ?? policy.subscriptionRefund,
    redirectOrigins: patch.redirect_origins ?? policy.redirectOrigins,
  };
}

function refuseBadOrigins(origins: readonly string[]): void {
  const errors: FieldError[] = origins.flatMap((origin, index) => {
    const message = originProblem(origin);
    return message === null ? [] : [{ path: `access_policy.redirect_origins.${index}`, message }];
  });
  if (errors.length > 0) {
    throw new TollgateError(
      'invalid_request',
      'A redirect origin is a scheme, a host and maybe a port: https://app.example.com.',
      errors,
    );
  }
}

/** The fields in which two policies differ, by their names on the wire. */
export function policyChanges(
  before: AccessPolicy,
  after: AccessPolicy,
): Record<string, { before: unknown; after: unknown }> {
  const [old, fresh] = [policyToWire(before), policyToWire(after)];
  const changes: Record<string, { before: unknown; after: unknown }> = {};
  for (const name of Object.keys(fields) as (keyof typeof fields)[]) {
    if (JSON.stringify(old[name]) !== JSON.stringify(fresh[name])) {
      changes[name] = { before: old[name], after: fresh[name] };
    }
  }
  return changes;
}
