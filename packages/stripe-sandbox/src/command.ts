import { parseArgs } from 'node:util';
import { type SandboxOptions, startSandbox } from './index.ts';

const USAGE = `Usage: stripe-sandbox [options]

  --port N              the port to listen on (default 3001; 0: any free one)
  --host H              the address to listen on (default 127.0.0.1). Whoever reaches it can do anything in it.
  --webhook URL         where events go; may be given several times
  --webhook-secret S    what they are signed with (whsec_…): one for all, or one for each --webhook
  --file F              keep the state in this file
  --seed N              the same ids and faults in every run
  --help                this text
`;

/** A mistake in how the command was called, told without a stack. */
class UsageError extends Error {}

function wholeNumber(name: string, text: string, most: number): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= most)) throw new UsageError(`--${name} has to be a whole number from 0 to ${most}.`);
  return number;
}

function webhooks(urls: readonly string[], secrets: readonly string[]): { url: string; secret: string }[] {
  const [shared] = secrets;
  if (urls.length === 0 && secrets.length > 0) throw new UsageError('--webhook-secret needs a --webhook.');
  if (urls.length > 0 && shared === undefined) throw new UsageError('--webhook needs a --webhook-secret to sign with.');
  if (secrets.length > 1 && secrets.length !== urls.length) {
    throw new UsageError('Give one --webhook-secret for all, or one for each --webhook.');
  }
  return urls.map((url, index) => {
    if (!URL.canParse(url) || !/^https?:/.test(url)) throw new UsageError(`--webhook ${url} is no http(s) address.`);
    return { url, secret: secrets[index] ?? shared ?? '' };
  });
}

/**
 * Reads the command line.
 * @returns null when help was asked for
 */
function readArguments(args: string[]): SandboxOptions | null {
  let values: ReturnType<typeof parse>['values'];
  try {
    values = parse(args).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  if (values.help === true) return null;
  return {
    port: wholeNumber('port', values.port ?? '3001', 65_535),
    webhooks: webhooks(values.webhook ?? [], values['webhook-secret'] ?? []),
    ...(values.host === undefined ? {} : { host: values.host }),
    ...(values.file === undefined ? {} : { file: values.file }),
    ...(values.seed === undefined ? {} : { seed: wholeNumber('seed', values.seed, Number.MAX_SAFE_INTEGER) }),
  };
}

function parse(args: string[]) {
  return parseArgs({
    args,
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      webhook: { type: 'string', multiple: true },
      'webhook-secret': { type: 'string', multiple: true },
      file: { type: 'string' },
      seed: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
}

async function start(args: string[]): Promise<void> {
  const options = readArguments(args);
  if (options === null) {
    process.stdout.write(USAGE);
    return;
  }
  const sandbox = await startSandbox(options);
  process.stdout.write(
    `Stripe sandbox on ${sandbox.url}\n` +
      `  open it to see what exists, move the clock, refund and dispute\n` +
      `  API: any key that begins with sk_test_, host ${new URL(sandbox.url).hostname}, port ${sandbox.port}, protocol http\n`,
  );
  let closing = false;
  const stop = () => {
    if (closing) process.exit(1);
    closing = true;
    sandbox.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

function fail(error: unknown): never {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (error instanceof UsageError) process.stderr.write(`${error.message}\n\n${USAGE}`);
  else if (code === 'EADDRINUSE') process.stderr.write(`${(error as Error).message}\nChoose another --port.\n`);
  else process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
}

/** Runs the command until it is stopped, or ends the process with a message. */
export function runCommand(args: string[]): Promise<void> {
  return start(args).catch(fail);
}
