import { type Static, Type } from 'typebox';
import { auditContextOf } from '../audit/context.ts';
import type { App } from '../platform/http/app.ts';
import { SCOPES } from '../platform/http/principal.ts';
import { Actor, Closed, ListOf, ListQuery, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { KeyCache } from './authenticate.ts';
import { createKey } from './create-key.ts';
import { createProject } from './create-project.ts';
import { getProject } from './find-project.ts';
import { listKeys } from './list-keys.ts';
import { listProjects } from './list-projects.ts';
import { AccessPolicyPatch } from './policy.ts';
import { revokeKey } from './revoke-key.ts';
import { rotateKey } from './rotate-key.ts';
import { modeOfConnection } from './selling-connection.ts';
import { type UpdateProjectDeps, updateProject } from './update-project.ts';
import {
  CreatedKeyView,
  CreatedProjectView,
  endOf,
  KeyView,
  keyView,
  ProjectView,
  projectView,
  RotatedKeyView,
} from './views.ts';

export interface ProjectRoutesDeps extends UpdateProjectDeps {
  keys: KeyCache;
}

const WEEK_SECONDS = 7 * 24 * 60 * 60;
const admin = { access: { admin: true } } as const;

const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' });
const Id = Type.String({ minLength: 1, maxLength: 64 });
const ProjectParams = Closed({ id: Id });
const KeyParams = Closed({ id: Id, key_id: Id });
const Scopes = Type.Array(OneOf(SCOPES), {
  minItems: 1,
  uniqueItems: true,
  description: 'What the secret key may do. Default: everything.',
});

const CreateProjectBody = named(
  'CreateProjectRequest',
  Closed({
    name: Name,
    slug: Type.String({
      pattern: '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$',
      description: 'Lower-case letters, digits and inner hyphens; unique in the installation.',
    }),
    connection: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'The Stripe connection to sell through.' }),
    ),
    actor: Type.Optional(Actor),
  }),
);
const UpdateProjectBody = named(
  'UpdateProjectRequest',
  Closed({
    name: Type.Optional(Name),
    access_policy: Type.Optional(AccessPolicyPatch),
    connection: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description:
          'Another Stripe connection, as long as the project has neither products nor customers, and no import that has not ended.',
      }),
    ),
    actor: Type.Optional(Actor),
  }),
);
const CreateKeyBody = named(
  'CreateKeyRequest',
  Closed({
    kind: Type.Optional(OneOf(['secret', 'publishable'], { default: 'secret' })),
    name: Type.Optional(Name),
    scopes: Type.Optional(Scopes),
    expires_at: Type.Optional(Timestamp),
    actor: Type.Optional(Actor),
  }),
);
const RotateKeyBody = named(
  'RotateKeyRequest',
  Closed({
    overlap_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: WEEK_SECONDS,
        default: 0,
        description: 'How long the old key goes on working. Default 0: it stops at once.',
      }),
    ),
    actor: Type.Optional(Actor),
  }),
);

/** Projects and their keys over HTTP, for operators. */
export function registerProjectRoutes(app: App, deps: ProjectRoutesDeps): void {
  registerProjects(app, deps);
  registerKeys(app, deps);
}

function registerProjects(app: App, deps: ProjectRoutesDeps): void {
  app.post(
    '/api/v1/admin/projects',
    {
      config: admin,
      schema: {
        tags: ['Projects'],
        summary: 'Create a project',
        description: 'Makes the project with a secret key of every scope and a publishable key, shown this once.',
        body: CreateProjectBody,
        response: { 201: CreatedProjectView },
      },
    },
    async (request, reply) => {
      const { name, slug, connection, actor } = request.body;
      if (connection !== undefined) await modeOfConnection(connection, deps.modeOf);
      const input = { name, slug, connectionId: connection };
      const made = await createProject(deps, input, auditContextOf(request, actor));
      return reply.code(201).send({
        ...projectView(made.project),
        secret_key: made.secretKey,
        publishable_key: made.publishableKey,
      });
    },
  );

  app.get(
    '/api/v1/admin/projects',
    {
      config: admin,
      schema: {
        tags: ['Projects'],
        summary: 'List projects',
        description: 'Every project of the installation, newest first.',
        querystring: Closed(ListQuery),
        response: { 200: ListOf(ProjectView) },
      },
    },
    async ({ query }) => {
      const found = await listProjects(deps.db, query);
      return { ...found, data: found.data.map(projectView) };
    },
  );

  app.get(
    '/api/v1/admin/projects/:id',
    {
      config: admin,
      schema: {
        tags: ['Projects'],
        summary: 'Get a project',
        params: ProjectParams,
        response: { 200: ProjectView },
      },
    },
    async ({ params }) => projectView(await getProject(deps.db, params.id)),
  );

  app.patch(
    '/api/v1/admin/projects/:id',
    {
      config: admin,
      schema: {
        tags: ['Projects'],
        summary: 'Update a project',
        description:
          'Changes the name and any part of the access policy. A policy that changes access makes every customer of the project be computed again, in the background.',
        params: ProjectParams,
        body: UpdateProjectBody,
        response: { 200: ProjectView },
      },
    },
    async (request) => {
      const { name, access_policy, connection, actor } = request.body;
      const patch = { name, policy: access_policy, connectionId: connection };
      return projectView(await updateProject(deps, request.params.id, patch, auditContextOf(request, actor)));
    },
  );
}

function registerKeys(app: App, deps: ProjectRoutesDeps): void {
  app.get(
    '/api/v1/admin/projects/:id/keys',
    {
      config: admin,
      schema: {
        tags: ['Keys'],
        summary: "List a project's keys",
        description: 'Newest first, those revoked and expired among them. Keys themselves are never shown again.',
        params: ProjectParams,
        querystring: Closed(ListQuery),
        response: { 200: ListOf(KeyView) },
      },
    },
    async ({ params, query }) => {
      await getProject(deps.db, params.id);
      const found = await listKeys(deps.db, params.id, query);
      return { ...found, data: found.data.map((row) => keyView(row, deps.clock.now())) };
    },
  );

  app.post(
    '/api/v1/admin/projects/:id/keys',
    {
      config: admin,
      schema: {
        tags: ['Keys'],
        summary: 'Create a key',
        description: 'The key itself is in the answer, this once.',
        params: ProjectParams,
        body: CreateKeyBody,
        response: { 201: CreatedKeyView },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const { row, key } = await createKey(
        deps,
        keyInput(request.params.id, body),
        auditContextOf(request, body.actor),
      );
      return reply.code(201).send({ ...keyView(row, deps.clock.now()), key });
    },
  );

  app.post(
    '/api/v1/admin/projects/:id/keys/:key_id/rotate',
    {
      config: admin,
      schema: {
        tags: ['Keys'],
        summary: 'Rotate a key',
        description: 'Makes a new key with the same scopes; the old one works on for the overlap.',
        params: KeyParams,
        body: RotateKeyBody,
        response: { 201: RotatedKeyView },
      },
    },
    async (request, reply) => {
      const { overlap_seconds = 0, actor } = request.body;
      const target = { projectId: request.params.id, keyId: request.params.key_id, overlapSeconds: overlap_seconds };
      const { row, key, replaced } = await rotateKey(deps, target, auditContextOf(request, actor));
      const now = deps.clock.now();
      const replaces = { id: replaced.id, expires_at: endOf(replaced, now) };
      return reply.code(201).send({ ...keyView(row, now), key, replaces });
    },
  );

  app.delete(
    '/api/v1/admin/projects/:id/keys/:key_id',
    {
      config: admin,
      schema: {
        tags: ['Keys'],
        summary: 'Revoke a key',
        description: 'From this moment, for good. Revoking it again changes nothing.',
        params: KeyParams,
        querystring: Closed({ actor: Type.Optional(Actor) }),
        response: { 200: KeyView },
      },
    },
    async (request) => {
      const target = { projectId: request.params.id, keyId: request.params.key_id };
      const row = await revokeKey(deps, target, auditContextOf(request, request.query.actor));
      return keyView(row, deps.clock.now());
    },
  );
}

function keyInput(projectId: string, body: Static<typeof CreateKeyBody>) {
  return {
    projectId,
    kind: body.kind ?? 'secret',
    name: body.name ?? null,
    scopes: body.scopes,
    expiresAt: body.expires_at === undefined ? null : new Date(body.expires_at),
  };
}
