import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, isLoopback, parseConfig } from '../../src/config.ts';

const STRONG = 'tg_admin_9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const EXTERNAL = { DATABASE_URL: 'postgres://tollgate:pa55@db.example/tollgate' };
const TEST_KEYS = { STRIPE_SECRET_KEY: 'sk_test_1', STRIPE_WEBHOOK_SECRET: 'whsec_1' };
const LIVE = {
  ...EXTERNAL,
  STRIPE_SECRET_KEY: 'sk_live_1',
  STRIPE_WEBHOOK_SECRET: 'whsec_1',
  TOLLGATE_ADMIN_KEY: STRONG,
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

describe('with nothing set', () => {
  test('runs on the embedded database with the sandbox, on loopback', () => {
    expect(parseConfig({})).toEqual({
      database: { kind: 'embedded' },
      dataDir: path.resolve('.tollgate'),
      redisUrl: null,
      stripe: { kind: 'sandbox', port: 3001, webhookSecret: null },
      adminKey: null,
      encryptionKeys: [],
      installation: 'tollgate',
      host: '127.0.0.1',
      port: 3000,
      publicUrl: null,
      reconcileCron: '17 3 * * *',
      reconcileCallsPerSecond: 20,
      logLevel: 'info',
      liveRefusals: [expect.stringContaining('DATABASE_URL'), expect.stringContaining('TOLLGATE_ADMIN_KEY')],
      warnings: [],
    });
  });

  test('an empty or blank variable counts as not set', () => {
    expect(parseConfig({ DATABASE_URL: '', STRIPE_SECRET_KEY: '  ', PORT: '', HOST: '' })).toEqual(parseConfig({}));
  });
});

describe('the sandbox', () => {
  test.each(['127.0.0.1', '127.1.2.3', 'localhost', '::1'])('starts by itself on loopback (%s)', (HOST) => {
    expect(parseConfig({ HOST }).stripe.kind).toBe('sandbox');
  });

  test.each(['0.0.0.0', '::', '10.0.0.1', 'tollgate.example'])('does not start by itself on %s', (HOST) => {
    expect(problemsOf({ HOST })).toEqual([expect.stringMatching(/anyone can pay with a test card/)]);
  });

  test('does not start by itself beside a database of your own', () => {
    expect(problemsOf(EXTERNAL)).toEqual([expect.stringMatching(/no Stripe key.*STRIPE_SECRET_KEY=sandbox/)]);
  });

  test('starts anywhere when STRIPE_SECRET_KEY=sandbox says so', () => {
    const config = parseConfig({ ...EXTERNAL, HOST: '0.0.0.0', STRIPE_SECRET_KEY: 'sandbox', SANDBOX_PORT: '4001' });
    expect(config.stripe).toEqual({ kind: 'sandbox', port: 4001, webhookSecret: null });
  });

  test('does not start when only a webhook secret, or only another host, is set', () => {
    expect(problemsOf({ STRIPE_WEBHOOK_SECRET: 'whsec_1' })).toEqual([
      expect.stringMatching(/STRIPE_WEBHOOK_SECRET is set without STRIPE_SECRET_KEY/),
    ]);
    expect(problemsOf({ STRIPE_API_BASE: 'https://stripe.test' })).toEqual([
      expect.stringMatching(/STRIPE_API_BASE is set without STRIPE_SECRET_KEY/),
    ]);
  });

  test('needs a port of its own', () => {
    expect(problemsOf({ PORT: '3001' })).toEqual([expect.stringMatching(/both 3001/)]);
    expect(problemsOf({ PORT: '0', SANDBOX_PORT: '0' })).toEqual([]);
  });

  test('is not another host', () => {
    expect(problemsOf({ STRIPE_SECRET_KEY: 'sandbox', STRIPE_API_BASE: 'https://stripe.test' })).toEqual([
      expect.stringMatching(/no meaning/),
    ]);
  });
});

describe('Stripe', () => {
  test('takes a test key with the embedded database', () => {
    expect(parseConfig(TEST_KEYS).stripe).toEqual({
      kind: 'stripe',
      secretKey: 'sk_test_1',
      webhookSecrets: ['whsec_1'],
      apiBase: null,
      livemode: false,
    });
  });

  test('takes several webhook secrets while they are rotated', () => {
    const { stripe } = parseConfig({ ...TEST_KEYS, STRIPE_WEBHOOK_SECRET: 'whsec_new, whsec_old' });
    expect(stripe).toMatchObject({ webhookSecrets: ['whsec_new', 'whsec_old'] });
  });

  test.each(['', ' '])('refuses a key without a webhook secret (%j)', (STRIPE_WEBHOOK_SECRET) => {
    expect(problemsOf({ STRIPE_SECRET_KEY: 'sk_test_1', STRIPE_WEBHOOK_SECRET })).toEqual([
      expect.stringMatching(/without STRIPE_WEBHOOK_SECRET/),
    ]);
  });

  test.each([' , ', 'whsec_1,', ',whsec_1', 'whsec_1,,whsec_2'])(
    'refuses an empty secret among the webhook secrets (%j)',
    (STRIPE_WEBHOOK_SECRET) => {
      for (const STRIPE_SECRET_KEY of ['sk_test_1', 'sandbox']) {
        expect(problemsOf({ STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET })).toEqual([
          expect.stringMatching(/STRIPE_WEBHOOK_SECRET holds an empty secret/),
        ]);
      }
    },
  );

  test.each(['pk_test_1', 'hello', 'sk_test_', 'whsec_1'])('refuses a key that is none (%s)', (STRIPE_SECRET_KEY) => {
    expect(problemsOf({ ...TEST_KEYS, STRIPE_SECRET_KEY })).toEqual([
      expect.stringMatching(/does not look like a secret key/),
    ]);
  });

  test('refuses several keys', () => {
    expect(problemsOf({ ...TEST_KEYS, STRIPE_SECRET_KEY: 'sk_test_1,sk_test_2' })).toEqual([
      expect.stringMatching(/several keys/),
    ]);
  });

  test('speaks to another host when told to', () => {
    const { stripe } = parseConfig({ ...TEST_KEYS, STRIPE_API_BASE: 'http://127.0.0.1:12111/' });
    expect(stripe).toMatchObject({ apiBase: 'http://127.0.0.1:12111' });
  });
});

describe('a live Stripe key', () => {
  test('starts with a database of your own and a strong admin key', () => {
    expect(parseConfig(LIVE).stripe).toMatchObject({ livemode: true });
    expect(parseConfig({ ...LIVE, STRIPE_SECRET_KEY: 'rk_live_1' }).stripe).toMatchObject({ livemode: true });
  });

  test('refuses the embedded database', () => {
    expect(problemsOf({ ...LIVE, DATABASE_URL: '' })).toEqual([expect.stringMatching(/set DATABASE_URL/)]);
  });

  test('refuses to go without an admin key', () => {
    expect(problemsOf({ ...LIVE, TOLLGATE_ADMIN_KEY: '' })).toEqual([
      expect.stringMatching(/needs TOLLGATE_ADMIN_KEY/),
    ]);
  });

  test.each([
    'tg_admin_short',
    `tg_admin_${'a'.repeat(64)}`,
    `tg_admin_${'abcd1234'.repeat(8)}`,
    'tg_admin_change_me_before_production_please',
    'tg_admin_admin_admin_9f86d081884c7d659a2fea',
  ])('refuses a weak admin key (%s)', (TOLLGATE_ADMIN_KEY) => {
    expect(problemsOf({ ...LIVE, TOLLGATE_ADMIN_KEY })).toEqual([expect.stringMatching(/too weak/)]);
  });

  test('refuses webhook secrets that are none, and a host without TLS', () => {
    expect(problemsOf({ ...LIVE, STRIPE_WEBHOOK_SECRET: 'whsec_1,oops' })).toEqual([expect.stringMatching(/whsec_…/)]);
    expect(problemsOf({ ...LIVE, STRIPE_API_BASE: 'http://stripe.test' })).toEqual([
      expect.stringMatching(/not https/),
    ]);
  });
});

describe('single settings', () => {
  test('are read', () => {
    const config = parseConfig({
      ...EXTERNAL,
      ...TEST_KEYS,
      MIGRATION_DATABASE_URL: 'postgresql://owner@db.example/tollgate',
      TOLLGATE_ADMIN_KEY: 'dev',
      TOLLGATE_ENCRYPTION_KEY: 'hV1jQ3m9bD0k7wXyZt5rPq2sLf8uNc4gAeIo6HxKvTE=',
      TOLLGATE_INSTALLATION: 'eu-1',
      TOLLGATE_DATA_DIR: '/var/lib/tollgate',
      PORT: '8080',
      HOST: '0.0.0.0',
      PUBLIC_URL: 'https://billing.example/tollgate/',
      RECONCILE_CRON: '*/30 2-4 * * 1',
      RECONCILE_CALLS_PER_SECOND: '90',
      LOG_LEVEL: 'debug',
    });
    expect(config).toMatchObject({
      database: {
        kind: 'external',
        url: EXTERNAL.DATABASE_URL,
        migrationUrl: 'postgresql://owner@db.example/tollgate',
      },
      dataDir: '/var/lib/tollgate',
      adminKey: 'dev',
      installation: 'eu-1',
      port: 8080,
      host: '0.0.0.0',
      publicUrl: 'https://billing.example/tollgate',
      reconcileCron: '*/30 2-4 * * 1',
      reconcileCallsPerSecond: 90,
      logLevel: 'debug',
    });
    expect(config.encryptionKeys.map((key) => key.length)).toEqual([32]);
  });

  test.each([
    ['PORT', '80a', /PORT must be a port number/],
    ['PORT', '65536', /PORT must be a port number/],
    ['PORT', '-1', /PORT must be a port number/],
    ['SANDBOX_PORT', '3e3', /SANDBOX_PORT must be a port number/],
    ['DATABASE_URL', 'mysql://db/tollgate', /DATABASE_URL must be a URL that starts with postgres:/],
    ['DATABASE_URL', 'db.example', /DATABASE_URL must be a URL/],
    ['REDIS_URL', 'http://redis', /REDIS_URL must be a URL that starts with redis:/],
    ['PUBLIC_URL', 'billing.example', /PUBLIC_URL must be a URL/],
    ['PUBLIC_URL', 'https://billing.example?x=1', /PUBLIC_URL must not have a query/],
    ['STRIPE_API_BASE', 'ftp://stripe', /STRIPE_API_BASE must be a URL/],
    ['RECONCILE_CRON', 'daily', /RECONCILE_CRON must be five cron fields/],
    ['RECONCILE_CRON', '99 3 * * *', /RECONCILE_CRON must be five cron fields/],
    ['RECONCILE_CRON', '0 3 * * * ?id=x', /RECONCILE_CRON must be five cron fields/],
    ['LOG_LEVEL', 'loud', /LOG_LEVEL must be one of trace, debug, info/],
    ['TOLLGATE_INSTALLATION', 'a b', /TOLLGATE_INSTALLATION must be/],
    ['TOLLGATE_ENCRYPTION_KEY', 'tooshort', /32 bytes in hex or base64/],
    ['TOLLGATE_ENCRYPTION_KEY', '0'.repeat(64), /not random/],
    ['TOLLGATE_ADMIN_KEY', 'two words', /TOLLGATE_ADMIN_KEY must be printable/],
    ['TOLLGATE_ADMIN_KEY', 'tg_sk_abc', /not look like a project key/],
  ])('%s=%s is refused', (name, value, message) => {
    expect(problemsOf({ ...EXTERNAL, ...TEST_KEYS, [name]: value })).toEqual([expect.stringMatching(message)]);
  });

  test('MIGRATION_DATABASE_URL alone is refused', () => {
    expect(problemsOf({ MIGRATION_DATABASE_URL: 'postgres://owner@db/tollgate' })).toEqual([
      expect.stringMatching(/without DATABASE_URL/),
    ]);
  });

  test('what is allowed but surprising is warned about', () => {
    expect(parseConfig({ ...EXTERNAL, ...TEST_KEYS, REDIS_URL: 'redis://cache' }).warnings).toEqual([
      expect.stringMatching(/TOLLGATE_ADMIN_KEY is not set/),
      expect.stringMatching(/does not use Redis yet/),
    ]);
  });
});

test('every problem is listed at once, and no secret is among the words', () => {
  const env = {
    DATABASE_URL: 'mysql://root:hunter2@db/x',
    STRIPE_SECRET_KEY: 'sk_live_topsecret',
    TOLLGATE_ADMIN_KEY: 'tg_admin_weakling',
    PORT: 'many',
    LOG_LEVEL: 'loud',
  };
  const problems = problemsOf(env);
  expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
    'PORT',
    'DATABASE_URL',
    'STRIPE_SECRET_KEY',
    'LOG_LEVEL',
  ]);
  expect(problems.join('\n')).not.toMatch(/hunter2|topsecret|weakling/);
});

test('loopback is this machine only', () => {
  expect(['127.0.0.1', 'localhost', '::1', '[::1]'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '127.0.0.1.evil.example', 'localhost.example', '128.0.0.1'].some(isLoopback)).toBe(false);
});
