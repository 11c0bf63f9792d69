/** Connections as the API shows them: never with a secret. */
import { type Static, Type } from 'typebox';
import { Closed, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { ConnectionRegistry } from './registry.ts';
import type { StoredConnection } from './rows.ts';
import { hintOf } from './secrets.ts';

const WebhookSecret = named(
  'ConnectionWebhookSecret',
  Closed({
    id: Nullable(Type.String({ description: 'What it is retired by; null for one from STRIPE_WEBHOOK_SECRET.' })),
    hint: Type.String({ description: 'Prefix and last four characters.' }),
    expires_at: Nullable(Type.String({ format: 'date-time', description: 'Until when it is still accepted.' })),
  }),
);

export const ConnectionView = named(
  'Connection',
  Closed({
    object: Type.Literal('connection'),
    id: Type.String(),
    name: Nullable(Type.String()),
    status: OneOf(['active', 'unusable', 'disabled'], {
      description: '`unusable`: `problem` says why. `disabled`: taken out of use; its history stays.',
    }),
    problem: Nullable(Type.String({ description: 'What is wrong, and what to do.' })),
    origin: OneOf(['environment', 'stored'], { description: '`environment`: its key comes from STRIPE_SECRET_KEY.' }),
    livemode: Type.Boolean({ description: 'Whether it moves real money.' }),
    account_id: Nullable(Type.String({ description: "Stripe's `acct_…`; null as long as no key could tell." })),
    account_verified: Type.Boolean({ description: 'Whether the present key was seen to be of that account.' }),
    api_base: Nullable(Type.String({ description: 'Another Stripe-compatible host; null: Stripe.' })),
    secret_key_hint: Nullable(Type.String({ description: 'Prefix and last four characters.' })),
    webhook_secrets: Type.Array(WebhookSecret, { description: 'Each of them is accepted; newest first.' }),
    webhook: Nullable(
      Closed({ endpoint_id: Type.String({ description: "Stripe's `we_…`." }), url: Nullable(Type.String()) }),
    ),
    created_at: Timestamp,
    updated_at: Timestamp,
  }),
);

export function connectionView(
  { row, secrets }: StoredConnection,
  registry: Pick<ConnectionRegistry, 'get' | 'ids' | 'problemOf'>,
): Static<typeof ConnectionView> {
  const problem = registry.problemOf(row.id);
  const inUse = registry.ids().includes(row.id) ? registry.get(row.id) : null;
  const stored = secrets.map(({ id, hint, expires_at }) => ({
    id,
    hint,
    expires_at: expires_at?.toISOString() ?? null,
  }));
  const fixed = row.origin === 'environment' ? (inUse?.webhookSecrets.slice(secrets.length) ?? []) : [];
  return {
    object: 'connection',
    id: row.id,
    name: row.name,
    status: row.disabled_at !== null ? 'disabled' : problem === null ? 'active' : 'unusable',
    problem,
    origin: row.origin,
    livemode: row.livemode,
    account_id: row.account_id,
    account_verified: Boolean(inUse?.verifiedAccount),
    api_base: row.api_base,
    secret_key_hint: row.secret_key_hint,
    webhook_secrets: [...stored, ...fixed.map((secret) => ({ id: null, hint: hintOf(secret), expires_at: null }))],
    webhook: row.webhook_endpoint_id === null ? null : { endpoint_id: row.webhook_endpoint_id, url: row.webhook_url },
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
