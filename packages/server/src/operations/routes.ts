import { Type } from 'typebox';
import type { App } from '../platform/http/app.ts';
import { Closed, OneOf } from '../platform/http/schemas.ts';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';

export interface OperationsDeps {
  readiness: () => Promise<Readiness>;
  metrics: Metrics;
}

const ReadinessAnswer = Closed({
  status: OneOf(['ready', 'degraded']),
  checks: Closed({
    database: Type.String({ description: '`ok` or `failed`.' }),
    migrations: Type.String({ description: '`ok`, `pending` or `failed`.' }),
    cache: Type.String({ description: '`ok`, or `reconnecting` while changes may be heard late.' }),
    jobs: Type.String({ description: '`ok`, or `stopped` when this process works on no jobs.' }),
  }),
});

/** Liveness, readiness, metrics and the HTTP contract: for probes, scrapers and readers, without a key. */
export function registerOperationsRoutes(app: App, { readiness, metrics }: OperationsDeps): void {
  app.get(
    '/healthz',
    {
      config: { access: { public: true }, rateLimit: false },
      schema: {
        tags: ['Operations'],
        summary: 'Whether the process lives',
        description: 'Touches nothing: a failing database is no reason to restart the process.',
        response: { 200: Closed({ status: Type.Literal('ok') }) },
      },
    },
    async () => ({ status: 'ok' as const }),
  );

  app.get(
    '/ready',
    {
      config: { access: { public: true }, rateLimit: false },
      schema: {
        tags: ['Operations'],
        summary: 'Whether requests should be sent here',
        description:
          'Asks the database. `degraded` still answers 200: checks are served. 503 only where the database cannot be ' +
          'asked or its schema is not up to date.',
        response: { 200: ReadinessAnswer, 503: ReadinessAnswer },
      },
    },
    async (_request, reply) => {
      const { servable, ...answer } = await readiness();
      return reply.code(servable ? 200 : 503).send(answer);
    },
  );

  app.get(
    '/metrics',
    {
      config: { access: { public: true }, rateLimit: false },
      schema: {
        tags: ['Operations'],
        summary: 'Metrics for Prometheus',
        description: "Prometheus' text format. Keep it inside the network: a proxy should not pass it on.",
        response: { 200: { content: { 'text/plain': { schema: Type.String() } } } },
      },
    },
    async (_request, reply) => reply.header('content-type', metrics.contentType).send(await metrics.text()),
  );

  app.get(
    '/openapi.json',
    { config: { access: { public: true }, rateLimit: false }, schema: { hide: true } },
    async () => app.swagger(),
  );
}
