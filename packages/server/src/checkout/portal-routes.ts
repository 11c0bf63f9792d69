import { Type } from 'typebox';
import type { App } from '../platform/http/app.ts';
import { Closed, CustomerId, named, OneOf, WithProject } from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import { createPortalSession } from './create-portal-session.ts';
import type { CheckoutDeps } from './deps.ts';
import { PORTAL_FLOWS } from './portal-flow.ts';
import { PortalSessionView } from './views.ts';

const CreatePortalSessionBody = named(
  'CreatePortalSessionRequest',
  WithProject({
    customer_id: CustomerId,
    return_url: Type.String({ minLength: 1, maxLength: 2000, description: 'Where the portal leads back to.' }),
    flow: Type.Optional(
      Closed(
        {
          type: OneOf(PORTAL_FLOWS),
          subscription_id: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 255,
              description: "One of the customer's. May be left out where there is only one.",
            }),
          ),
          price: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 255,
              description: 'What to switch to, for `subscription_update_confirm`.',
            }),
          ),
        },
        { description: 'Opens the portal for one thing alone. Without it, its home page.' },
      ),
    ),
  }),
);

/** Sessions of Stripe's customer portal, over HTTP. */
export function registerPortalRoutes(app: App, deps: CheckoutDeps): void {
  app.post(
    '/api/v1/portal/sessions',
    {
      config: { access: { scope: 'checkout:write' } },
      schema: {
        tags: ['Checkout'],
        summary: 'Create a portal session',
        description:
          "Answers with the page to send the customer to. It offers the project's own active recurring prices, of at most ten products. A customer that never had a Stripe customer: `no_billing_account`.",
        body: CreatePortalSessionBody,
        response: { 201: PortalSessionView },
      },
    },
    async (request, reply) => {
      const { customer_id, return_url, flow } = request.body;
      const projectId = await requestedProject(request, deps.db);
      const input = { projectId, externalId: customer_id, returnUrl: return_url, flow };
      const url = await createPortalSession(deps, input);
      return reply.code(201).send({ object: 'portal_session', url });
    },
  );
}
