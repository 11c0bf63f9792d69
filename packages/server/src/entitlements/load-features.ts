import type { Database } from '../platform/database.ts';
import { noSuchProject } from '../projects/find-project.ts';

/** Which features a project has. */
export interface KnownFeatures {
  /** Unlike that of any other in this process: what was made from this one is recognised by it. */
  readonly serial: number;
  readonly codes: ReadonlySet<string>;
}

let serials = 0;

/**
 * The codes of the project's features.
 * @throws TollgateError `not_found` when there is no such project
 */
export async function loadFeatures(db: Database, projectId: string): Promise<KnownFeatures> {
  const rows = await db
    .selectFrom('tollgate.projects as project')
    .leftJoin('tollgate.features as feature', 'feature.project_id', 'project.id')
    .select('feature.code')
    .where('project.id', '=', projectId)
    .execute();
  if (rows.length === 0) throw noSuchProject();
  serials += 1;
  return { serial: serials, codes: new Set(rows.flatMap(({ code }) => (code === null ? [] : [code]))) };
}

export function sameFeatures(a: KnownFeatures, b: KnownFeatures): boolean {
  return a.codes.size === b.codes.size && [...a.codes].every((code) => b.codes.has(code));
}
