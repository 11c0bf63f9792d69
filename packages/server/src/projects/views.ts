/** Projects and keys as the API shows them. */
import { Type } from 'typebox';
import { SCOPES } from '../platform/http/principal.ts';
import { Closed, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { Project } from './find-project.ts';
import type { KeyRow } from './insert-key.ts';
import { AccessPolicySchema, policyToWire } from './policy.ts';

const projectFields = {
  object: Type.Literal('project'),
  id: Type.String(),
  name: Type.String(),
  slug: Type.String(),
  connection: Type.String({ description: 'The Stripe connection that the project sells through.' }),
  access_policy: AccessPolicySchema,
  created_at: Timestamp,
  updated_at: Timestamp,
};

export const ProjectView = named('Project', Closed(projectFields));

export const CreatedProjectView = named(
  'CreatedProject',
  Closed({
    ...projectFields,
    secret_key: Nullable(Type.String({ description: 'Shown this once; null in a replay.' })),
    publishable_key: Nullable(Type.String({ description: 'Shown this once; null in a replay.' })),
  }),
);

const keyFields = {
  object: Type.Literal('key'),
  id: Type.String(),
  project_id: Type.String(),
  kind: OneOf(['secret', 'publishable']),
  name: Nullable(Type.String()),
  hint: Type.String({ description: 'Prefix and last four characters.' }),
  status: OneOf(['active', 'expired', 'revoked']),
  scopes: Type.Array(OneOf(SCOPES)),
  expires_at: Nullable(Timestamp),
  revoked_at: Nullable(Timestamp),
  last_used_at: Nullable(Timestamp),
  rotated_to: Nullable(Type.String({ description: 'The key that replaces this one.' })),
  created_at: Timestamp,
};

export const KeyView = named('Key', Closed(keyFields));

const shownOnce = Nullable(Type.String({ description: 'The key itself, shown this once; null in a replay.' }));

export const CreatedKeyView = named('CreatedKey', Closed({ ...keyFields, key: shownOnce }));

export const RotatedKeyView = named(
  'RotatedKey',
  Closed({
    ...keyFields,
    key: shownOnce,
    replaces: Closed({
      id: Type.String(),
      expires_at: Timestamp,
    }),
  }),
);

export function projectView(project: Project) {
  return {
    object: 'project' as const,
    id: project.id,
    name: project.name,
    slug: project.slug,
    connection: project.connectionId,
    access_policy: policyToWire(project.accessPolicy),
    created_at: project.createdAt.toISOString(),
    updated_at: project.updatedAt.toISOString(),
  };
}

/** @param now - epoch milliseconds, for the status */
export function keyView(row: KeyRow, now: number) {
  const expired = row.expires_at !== null && row.expires_at.getTime() <= now;
  return {
    object: 'key' as const,
    id: row.id,
    project_id: row.project_id ?? '',
    kind: row.kind === 'publishable' ? ('publishable' as const) : ('secret' as const),
    name: row.name,
    hint: row.hint,
    status: row.revoked_at !== null ? ('revoked' as const) : expired ? ('expired' as const) : ('active' as const),
    scopes: SCOPES.filter((scope) => row.scopes.includes(scope)),
    expires_at: row.expires_at?.toISOString() ?? null,
    revoked_at: row.revoked_at?.toISOString() ?? null,
    last_used_at: row.last_used_at?.toISOString() ?? null,
    rotated_to: row.rotated_to,
    created_at: row.created_at.toISOString(),
  };
}

/** When a replaced key stops working: at the end of the overlap, or when it was rotated without one. */
export function endOf(row: KeyRow, now: number): string {
  return (row.revoked_at ?? row.expires_at ?? new Date(now)).toISOString();
}
