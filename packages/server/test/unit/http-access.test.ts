import type { FastifyReply, FastifyRequest } from 'fastify';
import { expect, test } from 'vitest';
import { TollgateError } from '../../src/platform/errors.ts';
import { guard } from '../../src/platform/http/access.ts';
import { createFailedAttempts } from '../../src/platform/http/failed-attempts.ts';

test('a key that cannot be looked up, as while the database is away, is no failed attempt', async () => {
  const failures = createFailedAttempts({ now: () => 0 }, { max: 1, windowMs: 60_000 });
  const away = () => Promise.reject(new TollgateError('database_unavailable', 'Away.'));
  const hook = guard({ admin: true }, away, failures);
  const request = { headers: { authorization: 'Bearer tg_admin_good' }, ip: '192.0.2.1' } as FastifyRequest;
  const answers: unknown[] = [];
  for (let tries = 0; tries < 3; tries++) {
    answers.push(await new Promise((done) => hook.call({} as never, request, {} as FastifyReply, done)));
  }
  expect(answers).toMatchObject([1, 2, 3].map(() => ({ code: 'database_unavailable' })));
});
