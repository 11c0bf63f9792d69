/** Runs the inbox as a process of its own, so that a test can kill it: `node inbox-process.ts DATABASE_URL STRIPE_URL`. */
import { startInboxService } from './inbox-service.ts';

const [databaseUrl, stripeUrl] = process.argv.slice(2);
if (databaseUrl === undefined || stripeUrl === undefined)
  throw new Error('Usage: inbox-process.ts DATABASE_URL STRIPE_URL');
const { url } = await startInboxService({ databaseUrl, stripeUrl, stripeTimeoutMs: 15_000 });
process.stdout.write(`${url}\n`);
