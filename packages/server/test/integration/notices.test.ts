/** Apps are told of every change: signed, at least once, in each customer's order, and so that they know all there is. */
import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { announcePassedTask } from '../../src/entitlements/announce-passed.ts';
import { deliverNoticesTask } from '../../src/notices/deliver.ts';
import { forgetOldNotices } from '../../src/notices/forget.ts';
import { createLog } from '../../src/platform/log.ts';
import { createSealer } from '../../src/platform/sealing.ts';
import { type Received, Receiver } from '../support/notice-receiver.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

const DAY = 24 * 60 * 60 * 1000;

let tollgate: Tollgate;
let receiver: Receiver;
let now = Date.parse('2026-11-25T12:00:00Z');

beforeAll(async () => {
  receiver = await new Receiver().start();
  tollgate = await startTollgate({ clock: { now: () => now } });
  await tollgate.secret.post('/features', { code: 'pro_export', name: 'Export', type: 'boolean' });
  await tollgate.secret.post('/features', { code: 'seats', name: 'Seats', type: 'limit' });
});
afterAll(async () => {
  await tollgate.close();
  await receiver.stop();
});
afterEach(async () => {
  receiver.answer = () => 204;
  receiver.all.length = 0;
  const { body } = await tollgate.secret.get('/webhook-endpoints?limit=100');
  for (const { id } of body.data) await tollgate.secret.delete(`/webhook-endpoints/${id}`);
});

async function endpoint(url = receiver.url): Promise<{ id: string; signing_secret: string }> {
  const { status, body } = await tollgate.secret.post('/webhook-endpoints', { url });
  expect(status).toBe(201);
  return body;
}

async function grant(customerId: string, more: object = {}): Promise<{ id: string }> {
  const about = { project_id: tollgate.project.id, customer_id: customerId, feature: 'pro_export', reason: 'a test' };
  const { status, body } = await tollgate.admin.post('/admin/grant', { ...about, ...more });
  expect(status).toBe(201);
  return body;
}

const revoke = async (id: string) => await tollgate.admin.post('/admin/revoke', { grant_id: id, reason: 'a test' });
const arrived = async (customerId: string, count: number) =>
  await tollgate.until(() => receiver.of(customerId).length >= count, 10_000, `${count} notices of ${customerId}`);
const show = async (id: string) => (await tollgate.secret.get(`/webhook-endpoints/${id}`)).body;
const entitlements = async (customerId: string) =>
  (await tollgate.secret.get(`/entitlements?customer_id=${customerId}`)).body;

/** One pass with settings of the test's own, beside those of the running service. */
async function pass(endpointId: string, deps: Partial<Parameters<typeof deliverNoticesTask>[0]>): Promise<void> {
  const task = deliverNoticesTask({
    db: tollgate.database.db,
    clock: tollgate.clock,
    log: createLog('silent'),
    sealer: sealerOfTests,
    ...deps,
  });
  await task({ endpoint_id: endpointId }, { attempt: 1, maxAttempts: 1, signal: new AbortController().signal });
}

const sealerOfTests = { seal: (text: string) => text, open: () => `whsec_${'A'.repeat(32)}`, isCurrent: () => true };

describe('a notice', () => {
  it('is signed so that any Standard Webhooks library verifies it, and says what changed, why, and all that holds now', async () => {
    const { signing_secret } = await endpoint();
    const { id } = await grant('u_signed');
    await arrived('u_signed', 1);
    const [{ headers, body, notice }] = receiver.of('u_signed') as [Received];
    expect(() => new Webhook(signing_secret).verify(body, headers as Record<string, string>)).not.toThrow();
    expect(() => new Webhook(signing_secret).verify(`${body} `, headers as Record<string, string>)).toThrow();
    expect(headers['webhook-id']).toMatch(/^ntc_/);
    expect(notice).toEqual({
      type: 'entitlements.updated',
      timestamp: '2026-11-25T12:00:00.000Z',
      data: {
        object: 'notice',
        customer_id: 'u_signed',
        sequence: 1,
        cause: { type: 'grant', id },
        changes: [
          {
            feature: 'pro_export',
            change: 'gained',
            before: { entitled: false, value: null, unlimited: false, reason: 'no_source', valid_to: null },
            after: { entitled: true, value: null, unlimited: false, reason: 'grant', valid_to: null },
          },
        ],
        snapshot: await entitlements('u_signed'),
      },
    });
  });

  it('is signed with the old secret and the new one while one replaces the other', async () => {
    const made = await endpoint();
    const { status, body: rotated } = await tollgate.secret.post(`/webhook-endpoints/${made.id}/rotate`, {
      overlap_seconds: 3600,
    });
    expect(status).toBe(201);
    expect(rotated.signing_secret).not.toBe(made.signing_secret);
    await grant('u_rotated');
    await arrived('u_rotated', 1);
    const [{ headers, body }] = receiver.of('u_rotated') as [Received];
    for (const secret of [made.signing_secret, rotated.signing_secret]) {
      expect(() => new Webhook(secret).verify(body, headers as Record<string, string>)).not.toThrow();
    }
    now += 3600_000;
    await grant('u_rotated', { feature: 'seats', value: 3 });
    await arrived('u_rotated', 2);
    const last = receiver.of('u_rotated')[1] as Received;
    const verify = (secret: string) => new Webhook(secret).verify(last.body, last.headers as Record<string, string>);
    expect(() => verify(rotated.signing_secret)).not.toThrow();
    expect(() => verify(made.signing_secret)).toThrow();
  });

  it('is not written down where nobody wants to hear it', async () => {
    await grant('u_unheard');
    const { rows } = await tollgate.database.pool.query(
      `select 1 from tollgate.notices n join tollgate.customers c on c.id = n.customer_id where external_id = 'u_unheard'`,
    );
    expect(rows).toEqual([]);
  });

  it('never leaves its project', async () => {
    await endpoint();
    const other = (await tollgate.admin.post('/admin/projects', { name: 'Other', slug: 'other' })).body;
    await tollgate.as(other.secret_key).post('/features', { code: 'pro_export', name: 'Export', type: 'boolean' });
    const about = { project_id: other.id, customer_id: 'u_theirs', feature: 'pro_export', reason: 'a test' };
    await tollgate.admin.post('/admin/grant', about);
    await grant('u_ours');
    await arrived('u_ours', 1);
    expect(receiver.of('u_theirs')).toEqual([]);
    const { body } = await tollgate.secret.get('/webhook-endpoints');
    const id = body.data[0].id;
    for (const answer of [
      await tollgate.as(other.secret_key).get(`/webhook-endpoints/${id}`),
      await tollgate.as(other.secret_key).patch(`/webhook-endpoints/${id}`, { status: 'disabled' }),
      await tollgate.as(other.secret_key).post(`/webhook-endpoints/${id}/replay`, { since: '2026-01-01T00:00:00Z' }),
    ]) {
      expect(answer.status).toBe(404);
    }
  });
});

describe('what time alone changes', () => {
  it('is told when it happens, once, in order with the rest', async () => {
    await endpoint();
    const start = new Date(now + DAY).toISOString();
    const end = new Date(now + 2 * DAY).toISOString();
    await grant('u_timed', { valid_from: start, valid_to: end });
    await arrived('u_timed', 1);
    now += 3 * DAY;
    const sweep = announcePassedTask({ db: tollgate.database.db, clock: tollgate.clock });
    const info = { attempt: 1, maxAttempts: 1, signal: new AbortController().signal };
    await Promise.all([sweep({}, info), sweep({}, info), sweep({}, info)]);
    await sweep({}, info);
    await arrived('u_timed', 3);
    const told = receiver.of('u_timed').map(({ notice }) => notice);
    expect(told.map(({ data }) => data.sequence)).toEqual([1, 2, 3]);
    expect(told.map(({ data }) => data.changes.map((one: { change: string }) => one.change))).toEqual([
      ['changed'],
      ['gained'],
      ['lost'],
    ]);
    expect(told.map(({ timestamp }) => timestamp).slice(1)).toEqual([start, end]);
    expect(told[1].data.cause).toEqual({ type: 'time', id: start });
    expect(told[1].data.snapshot.entitlements.pro_export.valid_to).toBe(end);
    expect(told[2].data.snapshot).toEqual(await entitlements('u_timed'));
  });

  it('is told though something else changes before anybody has looked', async () => {
    await endpoint();
    const end = new Date(now + DAY).toISOString();
    await grant('u_meanwhile', { valid_to: end });
    await arrived('u_meanwhile', 1);
    now += DAY + 1;
    await grant('u_meanwhile', { feature: 'seats', value: 3 });
    await arrived('u_meanwhile', 3);
    const told = receiver.of('u_meanwhile').map(({ notice }) => notice);
    expect(told.map(({ data }) => data.cause.type)).toEqual(['grant', 'time', 'grant']);
    expect(told.map(({ data }) => data.changes.map((one: { feature: string }) => one.feature))).toEqual([
      ['pro_export'],
      ['pro_export'],
      ['seats'],
    ]);
    expect(told[1]).toMatchObject({ timestamp: end, data: { changes: [{ change: 'lost' }] } });
  });

  it('is told each time, one change after the other', async () => {
    await endpoint();
    await grant('u_twice', { valid_to: new Date(now + 3600_000).toISOString() });
    await grant('u_twice', { feature: 'seats', value: 2, valid_to: new Date(now + 7200_000).toISOString() });
    await arrived('u_twice', 2);
    for (const count of [3, 4]) {
      now += 3600_000;
      await announcePassedTask({ db: tollgate.database.db, clock: tollgate.clock })(
        {},
        { attempt: 1, maxAttempts: 1, signal: new AbortController().signal },
      );
      await arrived('u_twice', count);
    }
    const lost = receiver
      .of('u_twice')
      .slice(2)
      .flatMap(({ notice }) => notice.data.changes);
    expect(lost).toMatchObject([
      { feature: 'pro_export', change: 'lost' },
      { feature: 'seats', change: 'lost' },
    ]);
  });
});

describe('a delivery that fails', () => {
  it('comes again, with the same id and body, and the customer’s later ones wait behind it', async () => {
    const { id } = await endpoint();
    let refusals = 2;
    receiver.answer = ({ notice }) => {
      if (notice.data.customer_id !== 'u_slow' || refusals === 0) return 204;
      refusals -= 1;
      return refusals === 1 ? 500 : 'cut';
    };
    const first = await grant('u_slow');
    await arrived('u_slow', 1);
    await revoke(first.id);
    await grant('u_quick');
    await arrived('u_quick', 1);
    const pending = await tollgate.secret.get(`/webhook-endpoints/${id}/deliveries?status=pending`);
    expect(pending.body.data.map((one: { customer_id: string }) => one.customer_id)).toEqual(['u_slow', 'u_slow']);
    expect(pending.body.data.at(-1)).toMatchObject({ attempts: 1, response_status: 500, error: null });
    await makeDue(id);
    await arrived('u_slow', 2);
    await makeDue(id);
    await arrived('u_slow', 4);
    const told = receiver.of('u_slow');
    expect(told.map(({ notice }) => notice.data.sequence)).toEqual([1, 1, 1, 2]);
    expect(new Set(told.slice(0, 3).map(({ body }) => body)).size).toBe(1);
    expect(new Set(told.slice(0, 3).map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('comes again by itself, some seconds later', async () => {
    await endpoint();
    receiver.answer = () => (receiver.of('u_by_itself').length > 1 ? 204 : 500);
    await grant('u_by_itself');
    await tollgate.until(() => receiver.of('u_by_itself').length === 2, 30_000, 'the second attempt');
  });

  it('with enough others in a row has the endpoint left alone, also by what is new, until its time has come', async () => {
    const { id } = await endpoint();
    receiver.answer = () => 503;
    for (let n = 0; n < 8; n++) await grant(`u_refused_${n}`);
    // What is left to be sent then is sent by the test's own pass, and by no pass of the service beside it.
    await tollgate.until(async () => receiver.all.length >= 8 && (await passesToCome(id)) === 0);
    await makeDue(id, false);
    await pass(id, { send: async () => ({ status: 503 }) });
    await grant('u_waiting');
    const sent: string[] = [];
    await pass(id, { send: async ({ body }) => ({ status: sent.push(body) > 0 ? 204 : 0 }) });
    expect(sent).toEqual([]);
    receiver.answer = () => 204;
    await makeDue(id);
    await arrived('u_waiting', 1);
  });

  it('does not disable an endpoint at once; nothing for days does, and enabling sends what was missed', async () => {
    const { id } = await endpoint();
    receiver.answer = () => 503;
    await grant('u_down');
    await arrived('u_down', 1);
    await tollgate.until(async () => (await show(id)).failing_since !== null);
    expect(await show(id)).toMatchObject({ status: 'enabled', last_error: 'It answered 503.' });
    await makeDue(id, false);
    await pass(id, { giveUpMs: 0, send: async () => ({ error: 'Nobody is there.' }) });
    expect(await show(id)).toMatchObject({ status: 'disabled', disabled_reason: 'failing' });
    const audit = await tollgate.admin.get(
      `/admin/audit?action=webhook_endpoint.disabled&project_id=${tollgate.project.id}`,
    );
    expect(audit.body.data[0].detail).toMatchObject({ endpoint: id, reason: 'failing' });
    await grant('u_down', { feature: 'seats', value: 2 });
    receiver.answer = () => 204;
    receiver.all.length = 0;
    await makeDue(id, false);
    await tollgate.secret.patch(`/webhook-endpoints/${id}`, { status: 'enabled' });
    await arrived('u_down', 2);
    expect(receiver.of('u_down').map(({ notice }) => notice.data.sequence)).toEqual([1, 2]);
    expect(await show(id)).toMatchObject({ status: 'enabled', disabled_reason: null, failing_since: null });
  });

  it('is forgotten by a new address or a new beginning, and by nothing else that is changed', async () => {
    const { id } = await endpoint();
    const failing = async () => {
      await tollgate.database.pool.query(
        `update tollgate.webhook_endpoints set failing_since = now() - interval '4 days', retry_at = now() + interval '1 hour'
          where id = $1`,
        [id],
      );
      return [(await show(id)).failing_since, await retryAt()];
    };
    const retryAt = async () =>
      (await tollgate.database.pool.query('select retry_at from tollgate.webhook_endpoints where id = $1', [id]))
        .rows[0].retry_at;
    const updates = async () =>
      (await tollgate.admin.get(`/admin/audit?action=webhook_endpoint.updated&limit=100`)).body.data.filter(
        ({ detail }: { detail: { endpoint: string } }) => detail.endpoint === id,
      );
    const patch = async (body: object) => (await tollgate.secret.patch(`/webhook-endpoints/${id}`, body)).body;

    const before = await failing();
    const shown = await show(id);
    for (const nothing of [{}, { url: receiver.url }, { status: 'enabled' }, { description: null }]) {
      expect([nothing, await patch(nothing)]).toEqual([nothing, shown]);
    }
    expect(await updates()).toEqual([]);
    expect(await patch({ description: 'Ours', status: 'enabled' })).toMatchObject({ description: 'Ours' });
    expect([(await show(id)).failing_since, await retryAt()]).toEqual(before);
    expect((await updates()).map(({ detail }: { detail: object }) => detail)).toEqual([
      { endpoint: id, changes: { description: 'Ours' } },
    ]);
    for (const anew of [{ url: `${receiver.url}/new` }, { status: 'disabled' }, { status: 'enabled' }]) {
      await failing();
      expect([anew, await patch(anew), await retryAt()]).toMatchObject([anew, { failing_since: null, ...anew }, null]);
    }
  });

  it('with 410 disables the endpoint', async () => {
    const { id } = await endpoint();
    receiver.answer = () => 410;
    await grant('u_gone');
    await tollgate.until(async () => (await show(id)).status === 'disabled');
    expect(await show(id)).toMatchObject({ disabled_reason: 'gone' });
  });

  it('is tried again at once at a new address, whatever a pass to the old one comes to', async () => {
    const { id } = await endpoint();
    receiver.answer = () => 500;
    await grant('u_moved');
    await tollgate.until(async () => (await show(id)).failing_since !== null);
    await makeDue(id, false);
    const moved = await new Receiver().start();
    try {
      await pass(id, {
        send: async () => {
          await tollgate.secret.patch(`/webhook-endpoints/${id}`, { url: moved.url });
          return { status: 410 };
        },
      });
      expect(await show(id)).toMatchObject({ status: 'enabled', failing_since: null, url: moved.url });
      await tollgate.secret.patch(`/webhook-endpoints/${id}`, { status: 'enabled' });
      await tollgate.until(() => moved.of('u_moved').length > 0, 3_000, 'a notice at the new address');
    } finally {
      await moved.stop();
    }
  });

  it('is sent by a replay at once, though the endpoint was to be left alone for hours', async () => {
    const { id } = await endpoint();
    receiver.answer = () => 500;
    await grant('u_again');
    await tollgate.until(async () => (await show(id)).failing_since !== null);
    await tollgate.database.pool.query(
      `update tollgate.webhook_endpoints set retry_at = now() + interval '4 hours' where id = $1`,
      [id],
    );
    receiver.answer = () => 204;
    receiver.all.length = 0;
    await tollgate.secret.post(`/webhook-endpoints/${id}/replay`, { since: new Date(now - 1).toISOString() });
    await tollgate.until(() => receiver.of('u_again').length > 0, 3_000, 'the replayed notice');
  });

  it('for want of the key that its secret was sealed with says so, and comes again once the key is back', async () => {
    const { id } = await endpoint();
    const { secrets } = await sealWithAnotherKey(id, 0);
    await grant('u_unsealed');
    await tollgate.until(async () => (await show(id)).failing_since !== null);
    expect((await show(id)).last_error).toMatch(/^webhook_endpoints\/whe_.*Add the key/);
    const pending = await tollgate.secret.get(`/webhook-endpoints/${id}/deliveries?status=pending`);
    expect(pending.body.data).toMatchObject([{ attempts: 1, error: expect.stringContaining('Add the key') }]);
    await keepSecrets(id, secrets);
    await makeDue(id);
    await arrived('u_unsealed', 1);
  });

  it('for want of a secret says so: nothing is sent unsigned', async () => {
    const { id } = await endpoint();
    await keepSecrets(id, []);
    await grant('u_unsigned');
    await tollgate.until(async () => (await show(id)).failing_since !== null);
    expect((await show(id)).last_error).toContain('/rotate makes another');
    await tollgate.secret.post(`/webhook-endpoints/${id}/rotate`, {});
    await makeDue(id);
    await arrived('u_unsigned', 1);
    expect(receiver.of('u_unsigned')).toHaveLength(1);
  });

  it('would not be one for want of a secret that is being replaced', async () => {
    const { id } = await endpoint();
    const { body } = await tollgate.secret.post(`/webhook-endpoints/${id}/rotate`, { overlap_seconds: 3600 });
    await sealWithAnotherKey(id, 1);
    await grant('u_replaced');
    await arrived('u_replaced', 1);
    const [{ headers, body: sent }] = receiver.of('u_replaced') as [Received];
    expect(() => new Webhook(body.signing_secret).verify(sent, headers as Record<string, string>)).not.toThrow();
  });

  type Secrets = { sealed: string; expires_at: string | null }[];
  const keepSecrets = async (id: string, secrets: Secrets) =>
    await tollgate.database.pool.query('update tollgate.webhook_endpoints set secrets = $2 where id = $1', [
      id,
      JSON.stringify(secrets),
    ]);
  /** @returns the secrets as they were */
  async function sealWithAnotherKey(id: string, at: number): Promise<{ secrets: Secrets }> {
    const { rows } = await tollgate.database.pool.query<{ secrets: Secrets }>(
      'select secrets from tollgate.webhook_endpoints where id = $1',
      [id],
    );
    const { secrets } = rows[0] as { secrets: Secrets };
    const sealed = createSealer([randomBytes(32)]).seal(`whsec_${'A'.repeat(43)}=`, `webhook_endpoints/${id}/secret`);
    await keepSecrets(
      id,
      secrets.map((secret, index) => (index === at ? { ...secret, sealed } : secret)),
    );
    return { secrets };
  }

  /** The next attempt is due, without waiting for it. */
  /** Passes of the service's that have begun or are due. */
  async function passesToCome(id: string): Promise<number> {
    const { rows } = await tollgate.database.pool.query(
      `select from graphile_worker.jobs where queue_name = 'notices:' || $1 and run_at <= now()`,
      [id],
    );
    return rows.length;
  }

  async function makeDue(id: string, ask = true): Promise<void> {
    await tollgate.database.pool.query(
      `update tollgate.notice_deliveries set next_attempt_at = now() where endpoint_id = $1`,
      [id],
    );
    await tollgate.database.pool.query(`update tollgate.webhook_endpoints set retry_at = null where id = $1`, [id]);
    if (!ask) return;
    await tollgate.database.pool.query(
      `select graphile_worker.add_job('deliver_notices', json_build_object('endpoint_id', $1::text), 'notices:' || $1)`,
      [id],
    );
  }
});

describe('in the middle of a pass', () => {
  /** Three notices of one customer, and something that happens while the endpoint is sent the first of them. */
  async function whileTheFirstIsSent(customerId: string, happens: (id: string) => Promise<unknown>): Promise<string> {
    const { id } = await endpoint();
    await tollgate.secret.patch(`/webhook-endpoints/${id}`, { status: 'disabled' });
    await revoke((await grant(customerId)).id);
    await grant(customerId);
    receiver.answer = async ({ notice }) => {
      if (notice.data.sequence === 1) await happens(id);
      return 204;
    };
    await tollgate.secret.patch(`/webhook-endpoints/${id}`, { status: 'enabled' });
    await arrived(customerId, 1);
    return id;
  }
  const sequences = (of: Receiver, customerId: string) => of.of(customerId).map(({ notice }) => notice.data.sequence);
  /** What was to be sent is sent, and no pass is under way. */
  const quiet = async () =>
    await tollgate.until(async () => {
      const { rows } = await tollgate.database.pool.query(
        `select from graphile_worker._private_jobs job join graphile_worker._private_tasks task on task.id = job.task_id
          where task.identifier = 'deliver_notices' and job.run_at <= now()`,
      );
      return rows.length === 0;
    });

  it('an endpoint that moves is sent the rest at its new address, and what was on its way to the old one', async () => {
    const moved = await new Receiver().start();
    try {
      await whileTheFirstIsSent('u_moving', (id) =>
        tollgate.secret.patch(`/webhook-endpoints/${id}`, { url: moved.url }),
      );
      await tollgate.until(() => moved.of('u_moving').length === 3, 3_000, 'three notices at the new address');
      expect([sequences(receiver, 'u_moving'), sequences(moved, 'u_moving')]).toEqual([[1], [1, 2, 3]]);
    } finally {
      await moved.stop();
    }
  });

  it('an endpoint that is disabled is sent nothing more, and has had what arrived', async () => {
    const id = await whileTheFirstIsSent('u_leaving', (of) =>
      tollgate.secret.patch(`/webhook-endpoints/${of}`, { status: 'disabled' }),
    );
    await quiet();
    expect(sequences(receiver, 'u_leaving')).toEqual([1]);
    const { body } = await tollgate.secret.get(`/webhook-endpoints/${id}/deliveries`);
    expect(body.data.map(({ status }: { status: string }) => status)).toEqual(['pending', 'pending', 'delivered']);
  });

  it('an endpoint that is deleted is sent nothing more', async () => {
    await whileTheFirstIsSent('u_left', (id) => tollgate.secret.delete(`/webhook-endpoints/${id}`));
    await quiet();
    expect(sequences(receiver, 'u_left')).toEqual([1]);
  });

  it('a secret that is replaced without an overlap signs no more', async () => {
    let secret = '';
    await whileTheFirstIsSent('u_careful', async (id) => {
      const rotated = await tollgate.secret.post(`/webhook-endpoints/${id}/rotate`, { overlap_seconds: 0 });
      secret = rotated.body.signing_secret;
    });
    await arrived('u_careful', 3);
    for (const { body, headers } of receiver.of('u_careful').slice(1)) {
      expect(() => new Webhook(secret).verify(body, headers as Record<string, string>)).not.toThrow();
      expect(headers['webhook-signature']?.toString().split(' ')).toHaveLength(1);
    }
  });
});

describe('a replay', () => {
  it('sends again what there was since a moment, also to an endpoint that was not there', async () => {
    await endpoint();
    const first = await grant('u_replayed');
    await revoke(first.id);
    await grant('u_bystander');
    await arrived('u_replayed', 2);
    const late = await new Receiver().start();
    try {
      const { id } = await endpoint(late.url);
      const { status, body } = await tollgate.secret.post(`/webhook-endpoints/${id}/replay`, {
        since: new Date(now - 1).toISOString(),
        customer_id: 'u_replayed',
      });
      expect([status, body.queued]).toEqual([202, 2]);
      await tollgate.until(() => late.of('u_replayed').length === 2);
      expect(late.all.map(({ body: text }) => text)).toEqual(receiver.of('u_replayed').map(({ body: text }) => text));
    } finally {
      await late.stop();
    }
  });

  it('has an end after 30 days', async () => {
    await endpoint();
    await grant('u_old');
    await arrived('u_old', 1);
    await forgetOldNotices(tollgate.database.db, now + 31 * DAY, new AbortController().signal);
    const { rows } = await tollgate.database.pool.query('select count(*)::int as left from tollgate.notices');
    expect(rows[0].left).toBe(0);
  });
});

describe('an endpoint', () => {
  it('is refused where nothing may be sent', async () => {
    for (const url of ['http://169.254.169.254/', 'http://93.184.216.34/', 'ftp://x', 'https://u:p@app.example/']) {
      const { status, body } = await tollgate.secret.post('/webhook-endpoints', { url });
      expect([url, status, body.code, body.errors[0].path]).toEqual([url, 400, 'invalid_request', 'url']);
    }
  });

  it('is refused where the service itself or its sandbox answers, and nothing is sent there by another name', async () => {
    const { port } = tollgate.sandbox;
    const ports = [port, new URL(tollgate.url).port];
    const { id } = await endpoint(`http://localhost:${port}/_sandbox/reset`);
    for (const url of ports.map((own) => `http://127.0.0.1:${own}/_sandbox/reset`)) {
      for (const answer of [
        await tollgate.secret.post('/webhook-endpoints', { url }),
        await tollgate.secret.patch(`/webhook-endpoints/${id}`, { url }),
      ]) {
        expect([url, answer.status, answer.body.errors?.[0].path]).toEqual([url, 400, 'url']);
      }
    }
    await tollgate.stripe.customers.create({ email: 'still@there.example' });
    await grant('u_inside');
    await tollgate.until(async () => (await show(id)).last_error !== null);
    expect((await show(id)).last_error).toMatch(/Tollgate's own/);
    expect((await tollgate.stripe.customers.list()).data).not.toEqual([]);
  });

  it('shows its secret once, and keeps it sealed', async () => {
    const key = { 'idempotency-key': 'make-endpoint' };
    const { body } = await tollgate.secret.post('/webhook-endpoints', { url: receiver.url }, key);
    const again = await tollgate.secret.post('/webhook-endpoints', { url: receiver.url }, key);
    expect(again.body).toEqual({ ...body, signing_secret: null });
    expect(JSON.stringify((await tollgate.secret.get(`/webhook-endpoints/${body.id}`)).body)).not.toContain('whsec_');
    const { rows } = await tollgate.database.pool.query('select secrets::text from tollgate.webhook_endpoints');
    expect(JSON.stringify(rows)).not.toContain(body.signing_secret.slice(6, 20));
  });

  it('signs with five secrets at most, however often they are rotated, and leaves no token in the audit trail', async () => {
    const { body } = await tollgate.secret.post('/webhook-endpoints', { url: `${receiver.url}?token=abc123` });
    await Promise.all(
      Array.from({ length: 20 }, () => tollgate.secret.post(`/webhook-endpoints/${body.id}/rotate`, {})),
    );
    await tollgate.secret.patch(`/webhook-endpoints/${body.id}`, { url: `${receiver.url}?token=abc124` });
    await grant('u_signatures');
    await arrived('u_signatures', 1);
    expect(receiver.of('u_signatures')[0]?.headers['webhook-signature']?.toString().split(' ')).toHaveLength(5);
    const audit = await tollgate.admin.get(`/admin/audit?project_id=${tollgate.project.id}&limit=100`);
    expect(JSON.stringify(audit.body)).toContain(receiver.url);
    expect(JSON.stringify(audit.body)).not.toContain('abc12');
  });

  it('is one of at most ten', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => tollgate.secret.post('/webhook-endpoints', { url: receiver.url })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
    expect(answers.find(({ status }) => status !== 201)?.body.code).toBe('too_many_endpoints');
  });
});

describe('a subscriber that only follows the notices', () => {
  it('ends with exactly the service’s state, whatever fails on the way', async () => {
    await endpoint();
    const known = new Map<string, { sequence: number; snapshot: object }>();
    let calls = 0;
    receiver.answer = ({ notice: { data } }) => {
      calls += 1;
      if (calls % 4 === 0) return 500;
      const before = known.get(data.customer_id);
      // The order is theirs to promise: nothing may be skipped, and what came before may only come again.
      if (data.sequence > (before?.sequence ?? 0) + 1) throw new Error('A notice was left out.');
      if (data.sequence >= (before?.sequence ?? 0)) known.set(data.customer_id, data);
      return calls % 7 === 0 ? 'cut' : 204;
    };
    const customers = Array.from({ length: 12 }, (_, index) => `u_followed_${index}`);
    await Promise.all(
      customers.map(async (customer, index) => {
        for (let round = 0; round < 4; round++) {
          const { id } = await grant(customer, {
            valid_to: new Date(now + (index + round + 1) * 3600_000).toISOString(),
          });
          if (round % 2 === 0) await revoke(id);
          await grant(customer, { feature: 'seats', value: round * index });
        }
      }),
    );
    now += 5 * 3600_000;
    await announcePassedTask({ db: tollgate.database.db, clock: tollgate.clock })(
      {},
      { attempt: 1, maxAttempts: 1, signal: new AbortController().signal },
    );
    await tollgate.until(async () => {
      await tollgate.database.pool.query('update tollgate.notice_deliveries set next_attempt_at = now()');
      await tollgate.database.pool.query('update tollgate.webhook_endpoints set retry_at = null');
      await tollgate.database.pool.query(
        `select graphile_worker.add_job('deliver_notices', json_build_object('endpoint_id', id), 'notices:' || id, job_key => 'again:' || id)
           from tollgate.webhook_endpoints where status = 'enabled'`,
      );
      const { rows } = await tollgate.database.pool.query(
        `select count(*)::int as left from tollgate.notice_deliveries where status = 'pending'`,
      );
      return rows[0].left === 0;
    }, 25_000);
    for (const customer of customers) expect(known.get(customer)?.snapshot).toEqual(await entitlements(customer));
  });
});
