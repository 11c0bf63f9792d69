import type { Tx } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { Sealer } from '../platform/sealing.ts';
import { hintOf, webhookSecretPlace } from './secrets.ts';

/** The id of the secret of an endpoint that was made here. */
export function secretIdOf(connectionId: string, endpointId: string): string {
  return `whs_${connectionId}_${endpointId}`;
}

/**
 * Keeps signing secrets of a connection, sealed.
 * @param input.endpointId - the endpoint that was made here with the secret
 * @returns their ids
 */
export async function storeWebhookSecrets(
  tx: Tx,
  sealer: Sealer,
  input: { connectionId: string; secrets: readonly string[]; endpointId?: string; now: number },
): Promise<string[]> {
  const { connectionId, secrets, endpointId, now } = input;
  const rows = secrets.map((secret) => {
    const id = endpointId === undefined ? newId('whs') : secretIdOf(connectionId, endpointId);
    const place = { connection_id: connectionId, id };
    return {
      ...place,
      secret: sealer.seal(secret, webhookSecretPlace(place)),
      hint: hintOf(secret),
      expires_at: null,
      created_at: new Date(now),
    };
  });
  if (rows.length > 0) await tx.insertInto('tollgate.connection_webhook_secrets').values(rows).execute();
  return rows.map(({ id }) => id);
}
