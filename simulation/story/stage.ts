/** The projects of a story, what they sell, and the people in it. */
import { answerApi } from '../../packages/stripe-sandbox/src/api.ts';
import { SimulationError } from '../engine/scheduler.ts';
import { STRIPE_KEY } from '../engine/stripe.ts';
import type { Universe } from '../engine/universe.ts';
import type { Ledger, Person } from '../model/ledger.ts';
import type { Mapping, Policy, Rules } from '../model/rules.ts';
import { Random } from '../virtual/random.ts';
import type { Story } from './story.ts';

export interface Price {
  id: string;
  product: string;
  /** Null: bought once. */
  interval: 'week' | 'month' | 'year' | null;
  byQuantity: boolean;
}

export interface Project {
  id: string;
  key: string;
  prices: Price[];
  products: string[];
  /** Where its app is told of changes; null: it only asks. */
  endpoint: string | null;
}

export interface Stage {
  universe: Universe;
  ledger: Ledger;
  story: Story;
  projects: Project[];
  people: { person: Person; project: Project }[];
  /** Made in Stripe's dashboard for whoever: parked until an operator attaches them. */
  ownerless: { subscription: string; customer: string; project: string }[];
  /** One who changes rules waits for the other: what holds in the end would be anybody's guess. */
  rulesTurn: Map<string, Promise<unknown>>;
}

const FEATURES = [
  { code: 'pro', type: 'boolean' },
  { code: 'extra', type: 'boolean' },
  { code: 'seats', type: 'limit', aggregation: 'max' },
  { code: 'credits', type: 'limit', aggregation: 'sum' },
] as const;

export const FEATURE_CODES: readonly string[] = FEATURES.map(({ code }) => code);

interface Goods {
  name: string;
  features: Mapping[];
  prices: { interval: Price['interval']; amount: number; byQuantity?: boolean; features?: Mapping[] }[];
}

const CATALOG: readonly Goods[] = [
  {
    name: 'Basic',
    features: [{ code: 'pro' }, { code: 'seats', value: 1 }],
    prices: [
      { interval: 'month', amount: 1_000 },
      { interval: 'year', amount: 10_001 },
    ],
  },
  {
    name: 'Team',
    features: [{ code: 'pro' }, { code: 'seats', value: 2, per_unit: true }, { code: 'credits', value: 100 }],
    prices: [
      { interval: 'month', amount: 2_500, byQuantity: true },
      { interval: 'year', amount: 25_003, byQuantity: true },
      {
        interval: 'week',
        amount: 777,
        byQuantity: true,
        features: [{ code: 'credits', value: 25 }, { code: 'extra' }],
      },
    ],
  },
  {
    name: 'Add-on',
    features: [{ code: 'extra' }, { code: 'credits', value: 10 }],
    prices: [
      { interval: 'month', amount: 300 },
      { interval: 'year', amount: 3_001 },
    ],
  },
  {
    name: 'For ever',
    features: [{ code: 'pro' }, { code: 'credits', value: 50 }],
    prices: [{ interval: null, amount: 9_900 }],
  },
  {
    name: 'Pass',
    features: [
      { code: 'extra', access_days: 45 },
      { code: 'seats', unlimited: true, access_days: 20 },
    ],
    prices: [{ interval: null, amount: 1_500 }],
  },
];

const DEFAULT_POLICY: Policy = {
  past_due_grace_days: 7,
  renewal_slack_hours: 72,
  trial: 'grant',
  pause_collection: 'grant',
  dispute: 'suspend',
  partial_refund: 'keep',
  subscription_refund: 'ignore',
};

/** Makes the projects and their catalogs over the API, while nothing goes wrong. */
export async function setUpStage(universe: Universe, ledger: Ledger, story: Story): Promise<Stage> {
  const projects: Project[] = [];
  for (let number = 0; number < story.projects; number += 1) {
    const project = await makeProject(universe, ledger, number);
    await makePolicy(universe, ledger, project, new Random(`${story.seed}/policy/${number}`));
    if (new Random(`${story.seed}/follows/${number}`).chance(0.6)) await follow(universe, project, number);
    projects.push(project);
  }
  const people = Array.from({ length: story.customers }, (_, number) => {
    const project = projects[number % projects.length] as Project;
    return { project, person: { project: project.id, customer: `u_${number}` } };
  });
  return { universe, ledger, story, projects, people, ownerless: [], rulesTurn: new Map() };
}

async function makeProject(universe: Universe, ledger: Ledger, number: number): Promise<Project> {
  const made = await created(universe, '/admin/projects', { name: `App ${number}`, slug: `app-${number}` });
  const key = made.secret_key as string;
  const rules: Rules = { features: {}, products: {}, prices: {}, policy: { ...DEFAULT_POLICY } };
  for (const feature of FEATURES) {
    await created(universe, '/features', { ...feature, name: feature.code }, key);
    rules.features[feature.code] = {
      type: feature.type,
      aggregation: 'aggregation' in feature ? feature.aggregation : 'max',
    };
  }
  const project: Project = { id: made.id, key, prices: [], products: [], endpoint: null };
  for (const { name, features, prices } of CATALOG) {
    const product = await created(universe, '/products', { name, features }, key);
    project.products.push(product.id);
    rules.products[product.id] = features;
    for (const { interval, amount, byQuantity = false, features: own } of prices) {
      const price = await created(
        universe,
        '/prices',
        {
          product: product.id,
          currency: 'usd',
          unit_amount: amount,
          ...(interval === null ? {} : { recurring: { interval } }),
          ...(own === undefined ? {} : { features: own }),
        },
        key,
      );
      if (own !== undefined) rules.prices[price.id] = own;
      project.prices.push({ id: price.id, product: product.id, interval, byQuantity });
    }
  }
  ledger.rules.set(project.id, [rules]);
  return project;
}

/** Policies that people seldom change later: every business has its own from the first day on. */
async function makePolicy(universe: Universe, ledger: Ledger, project: Project, random: Random): Promise<void> {
  const own: Partial<Policy> = {
    ...(random.chance(0.5) ? { subscription_refund: 'revoke_period' } : {}),
    ...(random.chance(0.2) ? { trial: 'deny' } : {}),
  };
  if (Object.keys(own).length === 0) return;
  const path = `/admin/projects/${project.id}`;
  const answer = await universe.scheduler.runFor(universe.ask('PATCH', path, { body: { access_policy: own } }));
  if (answer.status !== 200)
    throw new SimulationError(`PATCH ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  Object.assign(ledger.currentRules(project.id).policy, own);
}

async function follow(universe: Universe, project: Project, number: number): Promise<void> {
  project.endpoint = `https://app-${number}.example/tollgate`;
  const made = await created(universe, '/webhook-endpoints', { url: project.endpoint }, project.key);
  universe.apps.open(project.endpoint, made.signing_secret);
}

async function created(universe: Universe, path: string, body: object, key?: string) {
  const answer = await universe.scheduler.runFor(
    universe.ask('POST', path, { body, ...(key === undefined ? {} : { key }) }),
  );
  if (answer.status !== 201) throw new SimulationError(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

type FormValue = string | number | boolean | FormGroup | readonly FormValue[];
interface FormGroup {
  [name: string]: FormValue;
}

/** What somebody does in Stripe's dashboard or portal. @returns null when Stripe refuses it */
// biome-ignore lint/suspicious/noExplicitAny: objects of Stripe's
export function atStripe({ world }: Universe, method: string, path: string, form: FormGroup = {}): any {
  const { status, body } = answerApi(world, {
    method,
    path: `/v1${path}`,
    headers: { authorization: `Bearer ${STRIPE_KEY}` },
    body: new URLSearchParams(pairs(form)).toString(),
  });
  if (status >= 500) throw new SimulationError(`The sandbox failed at ${method} ${path}: ${body}`);
  return status === 200 ? JSON.parse(body) : null;
}

function pairs(value: FormValue, name = ''): [string, string][] {
  if (typeof value !== 'object') return [[name, String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => pairs(inner, name === '' ? key : `${name}[${key}]`));
}
