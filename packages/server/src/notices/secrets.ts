/** The signing secrets of an endpoint: sealed at rest, several while one replaces another. */
import type { Selectable } from 'kysely';
import { TollgateError } from '../platform/errors.ts';
import { openSecret, SealError, type Sealer } from '../platform/sealing.ts';
import type { Schema } from '../schema.ts';

export type EndpointRow = Selectable<Schema['tollgate.webhook_endpoints']>;

/** Where a sealed secret belongs. */
export function secretContext(endpointId: string): string {
  return `webhook_endpoints/${endpointId}/secret`;
}

/** Whether a secret signs at `now`. */
export function holds({ expires_at: end }: EndpointRow['secrets'][number], now: number): boolean {
  return end === null || Date.parse(end) > now;
}

/**
 * Those that hold at `now`, newest first. One that is being replaced, and that no key opens, is left out.
 * @throws SealError when no key opens the one that stays, or there is none
 */
export function openSecrets(
  sealer: Sealer | null,
  { id, secrets }: Pick<EndpointRow, 'id' | 'secrets'>,
  now: number,
): string[] {
  const opened = secrets
    .filter((secret) => holds(secret, now))
    .flatMap(({ sealed, expires_at }) => {
      try {
        return [openSecret(sealer, sealed, secretContext(id))];
      } catch (error) {
        if (expires_at === null || !(error instanceof SealError)) throw error;
        return [];
      }
    });
  if (opened.length > 0) return opened;
  throw new SealError(`${secretContext(id)} is missing. POST /api/v1/webhook-endpoints/{id}/rotate makes another.`);
}

/** @throws TollgateError `encryption_key_missing` */
export function needSealer(sealer: Sealer | null): Sealer {
  if (sealer !== null) return sealer;
  throw new TollgateError(
    'encryption_key_missing',
    'The installation has no key to keep secrets with. Its operator has to set TOLLGATE_ENCRYPTION_KEY.',
  );
}
