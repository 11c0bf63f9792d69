/** Signing secrets of notices while the key that seals them is replaced, over several starts of the service. */
import { randomBytes } from 'node:crypto';
import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSealer } from '../../src/platform/sealing.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Received, Receiver } from '../support/notice-receiver.ts';
import { startTollgate } from '../support/tollgate.ts';

const [OLD, NEW] = [randomBytes(32), randomBytes(32)] as const;
let database: TestDatabase;
let sandbox: Sandbox;
let receiver: Receiver;
let made: { id: string; signing_secret: string };
let projectId: string;
const starting = async (...keys: Buffer[]) =>
  await startTollgate({ database, sandbox, deaf: true, sealer: createSealer(keys) });

beforeAll(async () => {
  database = await createTestDatabase();
  sandbox = await startSandbox();
  receiver = await new Receiver().start();
  const first = await starting(OLD);
  projectId = first.project.id;
  await first.secret.post('/features', { code: 'pro_export', name: 'Export', type: 'boolean' });
  made = (await first.secret.post('/webhook-endpoints', { url: receiver.url })).body;
  await first.secret.post(`/webhook-endpoints/${made.id}/rotate`, { overlap_seconds: 3600 });
  await first.close();
});
afterAll(async () => {
  await receiver.stop();
  await sandbox.close();
  await database.drop();
});

describe('the key that signing secrets are sealed with', () => {
  it('stops the start where it is not among the keys, in words that name the endpoint', async () => {
    await expect(starting(NEW)).rejects.toThrow(new RegExp(`webhook_endpoints/${made.id}/secret.*Add the key`));
    await expect(startTollgate({ database, sandbox, deaf: true, sealer: null })).rejects.toThrow(
      new RegExp(`webhook_endpoints/${made.id}/secret.*TOLLGATE_ENCRYPTION_KEY is not set`),
    );
  });

  it('is replaced without a notice being lost: the old one, both, the new one alone', async () => {
    await Promise.all([1, 2].map(async () => await (await starting(NEW, OLD)).close()));
    const last = await starting(NEW);
    const about = { project_id: projectId, customer_id: 'u_resealed', feature: 'pro_export', reason: 'a test' };
    await last.admin.post('/admin/grant', about);
    await last.until(() => receiver.of('u_resealed').length > 0, 10_000, 'the notice');
    await last.close();
    const [{ headers, body }] = receiver.of('u_resealed') as [Received];
    expect(() => new Webhook(made.signing_secret).verify(body, headers as Record<string, string>)).not.toThrow();
    expect(headers['webhook-signature']?.toString().split(' ')).toHaveLength(2);
  });
});
