/** The signing secrets of an endpoint: sealed at rest, several while one replaces another. */
import type { Selectable } from 'kysely';
import { TollgateError } from '../platform/errors.ts';
import type { Sealer } from '../platform/sealing.ts';
import type { Schema } from '../schema.ts';

export type EndpointRow = Selectable<Schema['tollgate.webhook_endpoints']>;

/** Where a sealed secret belongs. */
export function secretContext(endpointId: string): string {
  return `webhook_endpoints/${endpointId}/secret`;
}

/** Those that hold at `now`, newest first. */
export function openSecrets(
  sealer: Sealer,
  { id, secrets }: Pick<EndpointRow, 'id' | 'secrets'>,
  now: number,
): string[] {
  return secrets
    .filter(({ expires_at }) => expires_at === null || Date.parse(expires_at) > now)
    .map(({ sealed }) => sealer.open(sealed, secretContext(id)));
}

/** @throws TollgateError `encryption_key_missing` */
export function needSealer(sealer: Sealer | null): Sealer {
  if (sealer !== null) return sealer;
  throw new TollgateError(
    'encryption_key_missing',
    'The installation has no key to keep secrets with. Its operator has to set TOLLGATE_ENCRYPTION_KEY.',
  );
}
