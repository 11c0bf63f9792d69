/** Starts the service from the environment and stops it when asked to. The service's only reader of `process.env`. */
import { ConfigError, parseConfig } from './config.ts';
import { createLog } from './platform/log.ts';
import { start } from './start.ts';
import { welcome } from './welcome.ts';

const OLDEST_NODE = 24;
/** What is under way may take this long once the process was asked to stop. */
const STOP_WITHIN_MS = 25_000;

async function main(): Promise<void> {
  if (Number(process.versions.node.split('.', 1)[0]) < OLDEST_NODE) {
    throw new ConfigError([
      `This is Node ${process.versions.node}, and Tollgate needs ${OLDEST_NODE}. "make up" brings the right one.`,
    ]);
  }
  const config = parseConfig(process.env);
  const log = createLog(config.logLevel);
  for (const warning of config.warnings) log.warn(warning);

  const started = await start(config, { log });
  process.stdout.write(welcome(started));

  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) {
      log.warn(`Asked to stop again (${signal}): stopping at once`);
      process.exit(1);
    }
    stopping = true;
    log.info(`Asked to stop (${signal}): finishing what is under way`);
    setTimeout(() => {
      log.error(`Could not finish within ${STOP_WITHIN_MS / 1000} s: stopping anyway`);
      process.exit(1);
    }, STOP_WITHIN_MS).unref();
    started.close().then(
      () => {
        log.info('Stopped');
        process.exitCode = 0;
      },
      (error: unknown) => {
        log.fatal({ err: error }, 'Could not stop properly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main().catch((error: unknown) => {
  // What the settings or the machine lack is told in sentences; a stack is for what nobody foresaw.
  const told =
    error instanceof Error &&
    ['ConfigError', 'ConnectionsError', 'SealError', 'MigrationError', 'EmbeddedPostgresError'].includes(error.name);
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (told) process.stderr.write(`${(error as Error).message}\n`);
  else if (code === 'EADDRINUSE')
    process.stderr.write(
      `${(error as Error).message}\nSet PORT or SANDBOX_PORT to another port, or stop what uses it.\n`,
    );
  else process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
