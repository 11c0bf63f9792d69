import { type AccessPolicy, DEFAULT_ACCESS_POLICY } from '@tollgate/core';
import type { Selectable } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import type { Schema } from '../schema.ts';

export interface Project {
  id: string;
  name: string;
  slug: string;
  connectionId: string;
  accessPolicy: AccessPolicy;
  /** Grows with every change of features, mappings and policy. */
  catalogVersion: number;
  createdAt: Date;
  updatedAt: Date;
}

/** A project by its id; undefined when there is none. */
async function findProject(db: Queryable, id: string): Promise<Project | undefined> {
  const row = await db.selectFrom('tollgate.projects').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? undefined : projectOfRow(row);
}

/**
 * A project by its id.
 * @throws TollgateError `not_found`
 */
export async function getProject(db: Queryable, id: string): Promise<Project> {
  const project = await findProject(db, id);
  if (project === undefined) throw noSuchProject();
  return project;
}

export function noSuchProject(): TollgateError {
  return new TollgateError('not_found', 'There is no such project. GET /api/v1/admin/projects lists those there are.');
}

/** A field that a policy of an older version lacks has its default. */
export function projectOfRow(row: Selectable<Schema['tollgate.projects']>): Project {
  return {
    id: row.id,
    name: row.name,
    slug: row.slug,
    connectionId: row.connection_id,
    accessPolicy: { ...DEFAULT_ACCESS_POLICY, ...row.access_policy },
    catalogVersion: row.catalog_version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
