/** The settings, parsed once from the environment; this file and `main.ts` are all that knows it. */
import path from 'node:path';
import { isCronSchedule } from './platform/jobs.ts';
import { isStrongAdminKey } from './platform/strong-secret.ts';

export interface Config {
  database:
    | { kind: 'embedded' }
    /** `migrationUrl`: an owner role for migrations; the role of `url` then cannot alter the audit. */
    | { kind: 'external'; url: string; migrationUrl: string | null };
  /** Absolute path: the embedded database, the sandbox's state and the generated admin key. */
  dataDir: string;
  /** Read for the second-level cache to come. */
  redisUrl: string | null;
  stripe: /** The embedded, offline Stripe; `webhookSecret` null: a fresh one at each start. */
    | { kind: 'sandbox'; port: number; webhookSecret: string | null }
    | {
        kind: 'stripe';
        secretKey: string;
        /** Newest first, at least one. */
        webhookSecrets: readonly string[];
        /** Another Stripe-compatible host, without a trailing slash; null: Stripe. */
        apiBase: string | null;
        livemode: boolean;
      };
  /** The operator's key; null: one is generated (embedded database) or only keys in the database work. */
  adminKey: string | null;
  /** Of 32 bytes, newest first: the first one seals, any of them opens. Empty: one is kept beside the embedded database. */
  encryptionKeys: readonly Buffer[];
  /** Stamped on every Stripe object, so that two installations on one account tell theirs apart. */
  installation: string;
  host: string;
  /** 0: any free port. */
  port: number;
  /** Where callers and browsers reach the service, without a trailing slash; null: `http://host:port`. */
  publicUrl: string | null;
  /** Five fields, UTC. */
  reconcileCron: string;
  /** Calls that reconciliation makes in a second to each of Stripe's endpoints; null: no limit. */
  reconcileCallsPerSecond: number | null;
  logLevel: LogLevel;
  /** Why these settings allow no live key, neither among them nor in the database; none: they do. */
  liveRefusals: readonly string[];
  /** What is allowed and still worth a line in the log. */
  warnings: readonly string[];
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Every problem of the settings at once, each a sentence that says what to change. Never contains a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The settings are not usable:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws ConfigError with every problem found. An empty variable counts as not set. */
export function parseConfig(env: Environment): Config {
  const problems: string[] = [];
  const warnings: string[] = [];
  const read = new Reader(env, problems);

  const host = read.text('HOST') ?? '127.0.0.1';
  const port = read.port('PORT', 3000);
  const database = parseDatabase(read);
  const adminKey = parseAdminKey(read, problems);
  const stripe = parseStripe(read, problems, { embedded: database.kind === 'embedded', host });
  const redisUrl = read.url('REDIS_URL', ['redis:', 'rediss:']);

  if (stripe?.kind === 'sandbox' && stripe.port === port && port !== 0) {
    problems.push(`PORT and SANDBOX_PORT are both ${port}. Give one of them another value.`);
  }
  const liveRefusals = liveRefusalsOf(database, adminKey);
  if (stripe?.kind === 'stripe' && stripe.livemode) {
    problems.push(...liveRefusals);
  } else if (adminKey === null && database.kind === 'external') {
    warnings.push('TOLLGATE_ADMIN_KEY is not set: only admin keys that are in the database already can be used.');
  }
  if (redisUrl !== null) {
    warnings.push('REDIS_URL is set, and this version does not use Redis yet: the cache lives in the process.');
  }

  const config = {
    database,
    dataDir: path.resolve(read.text('TOLLGATE_DATA_DIR') ?? '.tollgate'),
    redisUrl,
    adminKey,
    encryptionKeys: parseEncryptionKeys(read, problems),
    installation: parseInstallation(read, problems),
    host,
    port,
    publicUrl: parsePublicUrl(read, problems),
    reconcileCron: parseCron(read, problems),
    reconcileCallsPerSecond: parseCallsPerSecond(read, problems),
    logLevel: parseLogLevel(read, problems),
    liveRefusals,
    warnings,
  };
  if (problems.length > 0 || stripe === null) {
    throw new ConfigError(problems);
  }
  return { ...config, stripe };
}

/** What real money asks of an installation. */
function liveRefusalsOf(database: Config['database'], adminKey: string | null): string[] {
  const make = 'Make one: echo "tg_admin_$(openssl rand -hex 32)".';
  return [
    ...(database.kind === 'embedded'
      ? [
          'A live Stripe key needs a database with backups: set DATABASE_URL. The embedded PostgreSQL is for trying out.',
        ]
      : []),
    ...(adminKey === null
      ? [`A live Stripe key needs TOLLGATE_ADMIN_KEY. ${make}`]
      : isStrongAdminKey(adminKey)
        ? []
        : [`TOLLGATE_ADMIN_KEY is too weak for a live Stripe key. ${make}`]),
  ];
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

function parseDatabase(read: Reader): Config['database'] {
  const url = read.url('DATABASE_URL', ['postgres:', 'postgresql:']);
  const migrationUrl = read.url('MIGRATION_DATABASE_URL', ['postgres:', 'postgresql:']);
  if (!read.has('DATABASE_URL')) {
    if (read.has('MIGRATION_DATABASE_URL')) {
      read.problem('MIGRATION_DATABASE_URL is set without DATABASE_URL. Set both, or neither.');
    }
    return { kind: 'embedded' };
  }
  return { kind: 'external', url: url ?? '', migrationUrl };
}

function parseStripe(
  read: Reader,
  problems: string[],
  { embedded, host }: { embedded: boolean; host: string },
): Config['stripe'] | null {
  const key = read.text('STRIPE_SECRET_KEY');
  const apiBase = read.url('STRIPE_API_BASE', ['http:', 'https:']);
  const sandboxPort = read.port('SANDBOX_PORT', 3001);
  const given = read.text('STRIPE_WEBHOOK_SECRET')?.split(',') ?? [];
  const webhookSecrets = given.map((secret) => secret.trim()).filter((secret) => secret !== '');
  if (webhookSecrets.length < given.length) {
    problems.push(
      'STRIPE_WEBHOOK_SECRET holds an empty secret, with which anyone could sign. Remove the comma too many, or set the ' +
        'secret that is missing.',
    );
  }

  if (key === 'sandbox') {
    if (apiBase !== null) {
      problems.push('STRIPE_API_BASE has no meaning with STRIPE_SECRET_KEY=sandbox. Remove one of them.');
    }
    return { kind: 'sandbox', port: sandboxPort, webhookSecret: webhookSecrets[0] ?? null };
  }
  if (key === null) {
    return withoutKey();
  }

  const before = problems.length;
  const shape = /^(sk|rk)_(test|live)_\S+$/.exec(key);
  if (key.includes(',')) {
    problems.push('STRIPE_SECRET_KEY holds several keys. Give the newest one: Stripe accepts it at once.');
  } else if (!shape) {
    problems.push(
      'STRIPE_SECRET_KEY does not look like a secret key (sk_test_…, sk_live_…, rk_…), nor is it "sandbox". Copy it ' +
        "from Stripe's dashboard under Developers, API keys.",
    );
  }
  const livemode = shape?.[2] === 'live';
  if (given.length === 0) {
    problems.push(
      'STRIPE_SECRET_KEY is set without STRIPE_WEBHOOK_SECRET, so no webhook could be verified. Create the endpoint in ' +
        "Stripe's dashboard (…/api/v1/webhooks/stripe) and set its signing secret (whsec_…).",
    );
  }
  if (livemode && webhookSecrets.some((secret) => !secret.startsWith('whsec_'))) {
    problems.push('STRIPE_WEBHOOK_SECRET must hold signing secrets (whsec_…), comma-separated while they are rotated.');
  }
  if (livemode && apiBase !== null && new URL(apiBase).protocol === 'http:') {
    problems.push('STRIPE_API_BASE is not https: a live key would be sent in the clear.');
  }
  return problems.length > before ? null : { kind: 'stripe', secretKey: key, webhookSecrets, apiBase, livemode };

  /** Anyone can pay in the sandbox with a test card: it never starts where others can reach it unless told to. */
  function withoutKey(): Config['stripe'] | null {
    const choice = 'Set STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET, or STRIPE_SECRET_KEY=sandbox for the sandbox.';
    if (given.length > 0) {
      problems.push(`STRIPE_WEBHOOK_SECRET is set without STRIPE_SECRET_KEY. ${choice}`);
    } else if (apiBase !== null) {
      problems.push(`STRIPE_API_BASE is set without STRIPE_SECRET_KEY. ${choice}`);
    } else if (!embedded) {
      problems.push(
        `There is no Stripe key, and the sandbox does not start by itself beside a database of your own. ${choice}`,
      );
    } else if (!isLoopback(host)) {
      problems.push(
        `There is no Stripe key, and the sandbox, where anyone can pay with a test card, does not start by itself on ` +
          `HOST=${host}, which others can reach. ${choice}`,
      );
    } else {
      return { kind: 'sandbox', port: sandboxPort, webhookSecret: null };
    }
    return null;
  }
}

function parseAdminKey(read: Reader, problems: string[]): string | null {
  const key = read.text('TOLLGATE_ADMIN_KEY');
  if (key !== null && (!/^[\x21-\x7e]+$/.test(key) || /^tg_(sk|pk)_/.test(key))) {
    problems.push(
      'TOLLGATE_ADMIN_KEY must be printable, without spaces, and not look like a project key. Make one: ' +
        'echo "tg_admin_$(openssl rand -hex 32)".',
    );
  }
  return key;
}

function parseEncryptionKeys(read: Reader, problems: string[]): Buffer[] {
  const texts = (read.text('TOLLGATE_ENCRYPTION_KEY') ?? '')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');
  return texts.flatMap((text) => {
    const key = encryptionKeyIn(text);
    if (key?.length !== 32) {
      problems.push(
        'TOLLGATE_ENCRYPTION_KEY must be 32 bytes in hex or base64, or several such keys, newest first, separated by ' +
          'commas. Make one: openssl rand -base64 32.',
      );
    } else if (new Set(key).size < 16) {
      problems.push('TOLLGATE_ENCRYPTION_KEY is not random. Make one: openssl rand -base64 32.');
    }
    return key === null ? [] : [key];
  });
}

/** A key in hex or base64; null for what is neither. */
function encryptionKeyIn(text: string): Buffer | null {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : null;
}

function parseInstallation(read: Reader, problems: string[]): string {
  const name = read.text('TOLLGATE_INSTALLATION') ?? 'tollgate';
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name)) {
    problems.push('TOLLGATE_INSTALLATION must be 1 to 64 letters, digits, dots, dashes or underscores.');
  }
  return name;
}

function parsePublicUrl(read: Reader, problems: string[]): string | null {
  const url = read.url('PUBLIC_URL', ['http:', 'https:']);
  if (url !== null && /[?#]/.test(url)) {
    problems.push('PUBLIC_URL must not have a query or a fragment.');
  }
  return url;
}

/** Stripe takes 25 a second to an endpoint, and more from large accounts in live mode. */
function parseCallsPerSecond(read: Reader, problems: string[]): number | null {
  const text = read.text('RECONCILE_CALLS_PER_SECOND') ?? '20';
  if (!/^\d{1,4}$/.test(text)) {
    problems.push('RECONCILE_CALLS_PER_SECOND has to be a whole number from 0 (no limit) to 9999.');
  }
  return Number(text) || null;
}

function parseCron(read: Reader, problems: string[]): string {
  const schedule = read.text('RECONCILE_CRON') ?? '17 3 * * *';
  if (!isCronSchedule(schedule)) {
    problems.push('RECONCILE_CRON must be five cron fields in UTC, such as "17 3 * * *" for every night at 03:17.');
  }
  return schedule;
}

function parseLogLevel(read: Reader, problems: string[]): LogLevel {
  const text = read.text('LOG_LEVEL') ?? 'info';
  const level = LOG_LEVELS.find((known) => known === text);
  if (!level) {
    problems.push(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}.`);
  }
  return level ?? 'info';
}

/** Reads single variables and notes what is wrong with them. */
class Reader {
  readonly #env: Environment;
  readonly #problems: string[];

  constructor(env: Environment, problems: string[]) {
    this.#env = env;
    this.#problems = problems;
  }

  has(name: string): boolean {
    return this.text(name) !== null;
  }

  text(name: string): string | null {
    return this.#env[name]?.trim() || null;
  }

  problem(text: string): void {
    this.#problems.push(text);
  }

  port(name: string, fallback: number): number {
    const text = this.text(name);
    if (text === null) {
      return fallback;
    }
    const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
    if (!(port <= 65_535)) {
      this.problem(`${name} must be a port number, 0 to 65535.`);
      return fallback;
    }
    return port;
  }

  /** Without a trailing slash. The value is never repeated in a problem: URLs carry passwords. */
  url(name: string, protocols: readonly string[]): string | null {
    const text = this.text(name);
    if (text === null) {
      return null;
    }
    if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
      this.problem(`${name} must be a URL that starts with ${protocols.map((known) => `${known}//`).join(' or ')}.`);
      return null;
    }
    return text.replace(/\/+$/, '');
  }
}
