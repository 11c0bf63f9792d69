import { type Static, Type } from 'typebox';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { App } from '../platform/http/app.ts';
import { Closed, Money, named, Timestamp, WithProject } from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import { measure } from './measure.ts';
import { shared } from './shared.ts';
import { type Figures, Tally } from './tally.ts';

const EVERY_PROJECT = '*';

const COUNTS = {
  active_subscriptions: Type.Integer({ description: 'Subscriptions whose status at Stripe is `active`.' }),
  trialing_subscriptions: Type.Integer(),
  past_due_subscriptions: Type.Integer(),
  customers: Type.Integer({ description: 'Every customer known, whether or not they bought anything.' }),
  entitled_customers: Type.Integer({ description: 'Customers entitled to at least one feature now.' }),
  mrr: Type.Array(Money, {
    description:
      'Monthly recurring revenue per currency, never summed across currencies: active and past due subscriptions, less coupons that last for ever; without trials, metered items and tax.',
  }),
};

const MetricsSummary = named(
  'MetricsSummary',
  Closed({ object: Type.Literal('metrics_summary'), as_of: Timestamp, ...COUNTS }),
);

const InstallationMetrics = named(
  'InstallationMetrics',
  Closed({
    object: Type.Literal('installation_metrics'),
    as_of: Timestamp,
    total: Closed({ ...COUNTS }, { description: 'Added up exactly and rounded once.' }),
    projects: Type.Array(Closed({ project_id: Type.String(), slug: Type.String(), name: Type.String(), ...COUNTS })),
  }),
);

/** What the projects earn, over HTTP. */
export function registerRevenueRoutes(app: App, { db, clock }: { db: Database; clock: Clock }): void {
  const figures = shared(async (scope: string) => {
    const now = clock.now();
    return { now, tallies: await measure(db, now, scope === EVERY_PROJECT ? null : scope) };
  });

  app.get(
    '/api/v1/metrics/summary',
    {
      config: { access: { scope: 'metrics:read' } },
      schema: {
        tags: ['Metrics'],
        summary: "Get a project's figures",
        description: 'Worked out from what is stored at the moment of the request.',
        querystring: WithProject({}),
        response: { 200: MetricsSummary },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, db);
      const { now, tallies } = await figures(projectId);
      return { object: 'metrics_summary' as const, as_of: iso(now), ...view(tallies.get(projectId) ?? new Tally()) };
    },
  );

  app.get(
    '/api/v1/admin/metrics',
    {
      config: { access: { admin: true } },
      schema: {
        tags: ['Metrics'],
        summary: 'Get the figures of every project and the total',
        querystring: Closed({}),
        response: { 200: InstallationMetrics },
      },
    },
    async () => {
      const { now, tallies } = await figures(EVERY_PROJECT);
      const projects = await db.selectFrom('tollgate.projects').select(['id', 'slug', 'name']).orderBy('id').execute();
      const total = new Tally();
      for (const tally of tallies.values()) total.include(tally);
      return {
        object: 'installation_metrics' as const,
        as_of: iso(now),
        total: view(total),
        projects: projects.map(({ id, slug, name }) => ({
          project_id: id,
          slug,
          name,
          ...view(tallies.get(id) ?? new Tally()),
        })),
      };
    },
  );
}

function view(tally: Tally): Omit<Static<typeof MetricsSummary>, 'object' | 'as_of'> {
  const figures: Figures = tally.figures();
  return {
    active_subscriptions: figures.activeSubscriptions,
    trialing_subscriptions: figures.trialingSubscriptions,
    past_due_subscriptions: figures.pastDueSubscriptions,
    customers: figures.customers,
    entitled_customers: figures.entitledCustomers,
    mrr: figures.mrr,
  };
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}
