import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** Everything that carries a credential, wherever it stands in what is logged. */
const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'idempotency-key',
  'stripe-signature',
  'secret_key',
  'publishable_key',
  'secretKey',
  'publishableKey',
  'adminKey',
  'stripeSecretKey',
  'webhookSecrets',
  'webhook_secrets',
  'add_webhook_secrets',
  'encryptionKeys',
  'signing_secret',
  'connectionString',
  'password',
  'token',
];

/** A key that slipped into a sentence: its kind stays readable, the rest goes. */
const KEY_IN_TEXT =
  /\b((?:tg_(?:sk|pk|admin)|[sr]k_(?:live|test)|whsec)_)[A-Za-z0-9_-]+|(\bpostgres(?:ql)?:\/\/[^:@/\s]*:)[^@\s]+@/g;

/**
 * JSON lines with `time`, `level`, `msg`. Secrets are removed twice over: by field name, and by shape from messages
 * and errors, since drivers like to quote what they were given.
 */
export function createLog(level: string, destination?: DestinationStream): Log {
  const paths = SECRET_FIELDS.flatMap((field) => {
    const name = field.includes('-') ? `["${field}"]` : field;
    const dotted = field.includes('-') ? name : `.${name}`;
    return [name, `*${dotted}`, `*.headers${dotted}`, `headers${dotted}`];
  });
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...new Set(paths)], censor: '[redacted]' },
      serializers: { err: describeError, error: describeError },
      hooks: {
        logMethod(args, method) {
          method.apply(
            this,
            args.map((arg) => (typeof arg === 'string' ? withoutSecrets(arg) : arg)) as Parameters<typeof method>,
          );
        },
      },
    },
    ...(destination ? [destination] : []),
  );
}

/** The same text with the secret part of anything that looks like a key replaced. */
export function withoutSecrets(text: string): string {
  return text.replace(KEY_IN_TEXT, (_match, key?: string, url?: string) =>
    url ? `${url}[redacted]@` : `${key}[redacted]`,
  );
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return error;
  }
  const code = 'code' in error ? { code: error.code } : {};
  const cause = error.cause instanceof Error ? { cause: withoutSecrets(error.cause.message) } : {};
  return {
    type: error.name,
    message: withoutSecrets(error.message),
    stack: withoutSecrets(error.stack ?? ''),
    ...code,
    ...cause,
  };
}
