/** Secrets of connections: what they look like, how they are shown, and where they are sealed to. */
import type { SecretRow } from './rows.ts';

/** Enough to recognise a secret and nothing to use: its kind and last four characters. */
export function hintOf(secret: string): string {
  const kind = /^(?:[sr]k_(?:test|live)_|whsec_)/.exec(secret)?.[0] ?? '';
  const rest = secret.slice(kind.length);
  return rest.length < 12 ? `${kind}…` : `${kind}…${rest.slice(-4)}`;
}

/** Bound to the place: copied into another row or column, a sealed value does not open. */
export function keyPlace(connectionId: string): string {
  return `connections/${connectionId}/secret_key`;
}

export function webhookSecretPlace({ connection_id, id }: Pick<SecretRow, 'connection_id' | 'id'>): string {
  return `connections/${connection_id}/webhook_secrets/${id}`;
}
