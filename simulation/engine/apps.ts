/** Apps that are told of changes by notices: each keeps what the docs say an app should, and is away at times. */
import { createHmac } from 'node:crypto';
import type { Send } from '../../packages/server/src/notices/send.ts';
import { sleep, virtualTime } from '../virtual/time.ts';
import type { Chaos } from './chaos.ts';
import type { Scheduler } from './scheduler.ts';

export interface Told {
  sequence: number;
  /** The text of the notice with each number, to see that a repeated one says the same. */
  texts: string[];
  entitlements: Record<string, { value: number | null; unlimited: boolean; valid_to: string | null }>;
}

interface App {
  secret: string;
  /** By the app's own customer id. */
  customers: Map<string, Told>;
}

type Outgoing = Parameters<Send>[0];

const ANSWER_MS = 40;
const TIMEOUT_MS = 10_000;

export class Apps {
  readonly #scheduler: Scheduler;
  readonly #chaos: Chaos;
  readonly #apps = new Map<string, App>();
  /** What was wrong with a notice. */
  readonly complaints: string[] = [];

  constructor(scheduler: Scheduler, chaos: Chaos) {
    this.#scheduler = scheduler;
    this.#chaos = chaos;
  }

  /** An app begins to listen. */
  open(url: string, secret: string): void {
    this.#apps.set(url, { secret, customers: new Map() });
  }

  /** What the app at a URL knows of a customer; undefined: it was never told anything. */
  knows(url: string, customer: string): Told | undefined {
    return this.#apps.get(url)?.customers.get(customer);
  }

  /** How the service sends, instead of over HTTP. */
  readonly send: Send = async (outgoing) => {
    const app = this.#apps.get(outgoing.url);
    if (app === undefined) return { error: 'There is no such host.' };
    const taken = await this.#scheduler.step(`notice to ${outgoing.url}`, () => this.#arrive(app, outgoing));
    if (taken !== 'silence') return taken;
    await sleep(TIMEOUT_MS);
    return { error: 'There was no answer in time.' };
  };

  #arrive(app: App, outgoing: Outgoing): Awaited<ReturnType<Send>> | 'silence' {
    const now = virtualTime.now();
    const trouble = this.#chaos.strikes('app');
    const kind = trouble?.weighted({ refuses: 4, broken: 2, lost: 2, silence: 1 }) ?? 'well';
    if (kind !== 'well') this.#chaos.note('app', now, `an app that is told something: ${kind}`);
    virtualTime.moveTo(now + ANSWER_MS);
    if (kind === 'refuses') return { status: 503 };
    if (kind === 'broken') return { error: 'ECONNRESET' };
    this.#take(app, outgoing);
    if (kind === 'lost') return { error: 'ECONNRESET' };
    return kind === 'silence' ? kind : { status: 204 };
  }

  #take(app: App, { headers, body }: Outgoing): void {
    const id = headers['webhook-id'] ?? '';
    if (!isSigned(app.secret, headers, body)) this.complaints.push(`The signature of ${id} does not hold.`);
    const { data } = JSON.parse(body);
    const told = app.customers.get(data.customer_id) ?? { sequence: 0, texts: [], entitlements: {} };
    app.customers.set(data.customer_id, told);
    const before = told.texts[data.sequence];
    if (before !== undefined && before !== body) this.complaints.push(`${id} came a second time with another text.`);
    if (data.sequence > told.sequence + 1) {
      this.complaints.push(`${data.customer_id} was told ${data.sequence} right after ${told.sequence}.`);
    }
    told.texts[data.sequence] = body;
    if (data.sequence <= told.sequence) return;
    told.sequence = data.sequence;
    told.entitlements = data.snapshot.entitlements;
  }
}

/** As Standard Webhooks has it. */
function isSigned(secret: string, headers: Outgoing['headers'], body: string): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures = '' } = headers;
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const right = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64');
  return signatures.split(' ').includes(`v1,${right}`);
}
