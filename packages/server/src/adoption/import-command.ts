import { setTimeout as sleep } from 'node:timers/promises';

/** Where a running service is asked, and by whom. */
export interface ImportCommand {
  /** Without a path. */
  url: string;
  adminKey: string;
  /** The body of `POST /api/v1/admin/import`. */
  body: object;
  /** Takes a line for the reader. */
  say: (line: string) => void;
  /** How often progress is asked for. */
  everyMs: number;
}

/** What is read of an import. */
interface ImportState {
  id: string;
  status: string;
  dry_run: boolean;
  progress: { step: string | null };
  counts: Record<string, number>;
  entitled: { feature: string; customers: number }[];
  error: string | null;
}

/**
 * Starts an import and tells of its progress until it ends. It goes on without the reader.
 * @returns whether it was completed
 * @throws Error with the problem's detail when the service refuses
 */
export async function runImport({ url, adminKey, body, say, everyMs }: ImportCommand): Promise<boolean> {
  const ask = async (method: string, path: string, sent?: object): Promise<ImportState> => {
    const response = await fetch(`${url}/api/v1/admin${path}`, {
      method,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(sent === undefined ? {} : { body: JSON.stringify(sent) }),
    });
    const answer = (await response.json()) as ImportState & { detail?: string };
    if (!response.ok) throw new Error(answer.detail ?? `The service answered ${response.status}.`);
    return answer;
  };
  let state = await ask('POST', '/import', body);
  say(`${state.dry_run ? 'Dry run' : 'Import'} ${state.id} has begun.`);
  let told = '';
  while (state.status === 'queued' || state.status === 'running') {
    await sleep(everyMs);
    state = await ask('GET', `/imports/${state.id}`);
    const line = progressOf(state);
    if (line !== told) say(line);
    told = line;
  }
  for (const line of summaryOf(state)) say(line);
  return state.status === 'completed';
}

function progressOf({ progress, counts }: ImportState): string {
  const { products = 0, subscriptions = 0, purchases = 0, customers = 0, parked = 0 } = counts;
  const met = `${products} products, ${subscriptions} subscriptions, ${purchases} purchases, ${customers} customers`;
  return `  ${progress.step ?? 'done'}: ${met}, ${parked} parked`;
}

function summaryOf({ id, status, dry_run: dryRun, counts, entitled, error }: ImportState): string[] {
  if (status !== 'completed') return [`It failed: ${error}`];
  const would = dryRun ? 'would be' : 'are';
  const gains = entitled.map(({ feature, customers }) => `  ${feature}: ${customers} customers ${would} entitled`);
  const { applied = 0, unchanged = 0, elsewhere = 0, parked = 0, failed = 0, linked = 0, skipped = 0 } = counts;
  return [
    `${dryRun ? 'It would bring' : 'It brought'} ${applied} subscriptions and purchases; ${unchanged} were known, ` +
      `${elsewhere} are of others, ${parked} are nobody's, ${failed} could not be read.`,
    `${linked} Stripe customers ${would} linked, ${skipped} are not taken.`,
    ...(gains.length > 0 ? gains : ['  Nobody gains a feature: none is mapped to what they have, or all had theirs.']),
    `Who: GET /api/v1/admin/imports/${id}/customers. Nobody's, or not taken: GET /api/v1/admin/imports/${id}/parked.`,
  ];
}
