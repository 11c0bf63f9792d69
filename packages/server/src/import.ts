/**
 * `make import`: imports what a Stripe account has into a project of a running service, which is asked over HTTP.
 * TOLLGATE_URL and TOLLGATE_ADMIN_KEY say which service, and for whom.
 */
import { parseArgs } from 'node:util';
import { runImport } from './adoption/import-command.ts';

const USAGE = `Usage: make import ARGS="--project prj_… --reason '…'"
  --project            the project to import into
  --reason             why, for the audit trail
  --dry-run            only report
  --products           Stripe's products, separated by commas, each with the features that it unlocks if they are to
                       be set: prod_a=export+seats,prod_b; default: all that are nobody else's
  --customer-id-from   stripe_customer_id (default), email or metadata.<key>
  --actor              who does it, for the audit trail

TOLLGATE_URL (default http://127.0.0.1:3000) and TOLLGATE_ADMIN_KEY come from the environment.`;

const { values } = parseArgs({
  options: {
    project: { type: 'string' },
    reason: { type: 'string' },
    products: { type: 'string' },
    'customer-id-from': { type: 'string' },
    actor: { type: 'string' },
    'dry-run': { type: 'boolean', default: false },
  },
});
const { TOLLGATE_URL: url = 'http://127.0.0.1:3000', TOLLGATE_ADMIN_KEY: adminKey } = process.env;
const { project, reason, products, actor } = values;
const customerIdFrom = values['customer-id-from'];
if (project === undefined || reason === undefined || adminKey === undefined) {
  process.stderr.write(`${USAGE}\n`);
  process.exitCode = 2;
} else {
  const body = {
    project_id: project,
    reason,
    dry_run: values['dry-run'],
    ...(products === undefined ? {} : { products: products.split(',').map(productIn) }),
    ...(customerIdFrom === undefined ? {} : { customer_id_from: customerIdFrom }),
    ...(actor === undefined ? {} : { actor }),
  };
  const say = (line: string) => process.stdout.write(`${line}\n`);
  try {
    const completed = await runImport({ url: url.replace(/\/$/, ''), adminKey, body, say, everyMs: 500 });
    process.exitCode = completed ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

/** `prod_a=export+seats`: amounts of limits are set over the API. */
function productIn(text: string): { product: string; features?: { code: string }[] } {
  const [product = '', codes] = text.trim().split('=');
  return codes === undefined ? { product } : { product, features: codes.split('+').map((code) => ({ code })) };
}
