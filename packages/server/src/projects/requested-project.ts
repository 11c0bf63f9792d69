import type { FastifyRequest } from 'fastify';
import type { Queryable } from '../platform/database.ts';
import { principalOf, projectOf } from '../platform/http/principal.ts';
import { getProject } from './find-project.ts';

/**
 * The id of the project that a request is about. A project's own key proves that its project exists; the one that an
 * admin key names is looked up.
 * @throws TollgateError `invalid_request`, `not_found`
 */
export async function requestedProject(request: FastifyRequest, db: Queryable): Promise<string> {
  const projectId = projectOf(request);
  if (principalOf(request).kind === 'admin') await getProject(db, projectId);
  return projectId;
}
