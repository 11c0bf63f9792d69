/** NOTIFY channel: a customer's snapshot has a new version. */
export const SNAPSHOTS_CHANNEL = 'tollgate_snapshots';
/** NOTIFY channel, with the project's id: its features, mappings or policy changed. */
export const CATALOG_CHANNEL = 'tollgate_catalog';

export interface SnapshotMessage {
  projectId: string;
  externalId: string;
  version: number;
}

/** Customer ids hold no line break, so that one separates the parts. */
export function snapshotMessage({ projectId, externalId, version }: SnapshotMessage): string {
  return `${projectId}\n${externalId}\n${version}`;
}

/** Undefined for a message that is none of ours. */
export function parseSnapshotMessage(payload: string): SnapshotMessage | undefined {
  const [projectId, externalId, version, ...rest] = payload.split('\n');
  if (projectId === undefined || externalId === undefined || version === undefined || rest.length > 0) return undefined;
  const number = Number(version);
  return Number.isSafeInteger(number) ? { projectId, externalId, version: number } : undefined;
}
