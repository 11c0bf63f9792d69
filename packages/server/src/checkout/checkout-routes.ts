import { Type } from 'typebox';
import type { App } from '../platform/http/app.ts';
import { Closed, CustomerId, named, OneOf, WithProject } from '../platform/http/schemas.ts';
import { requestedProject } from '../projects/requested-project.ts';
import { createSession } from './create-session.ts';
import type { CheckoutDeps } from './deps.ts';
import { findSession } from './find-session.ts';
import { CreatedSessionView, createdSessionView, SessionView, sessionView } from './views.ts';

const write = { access: { scope: 'checkout:write' } } as const;
/** Stripe takes twenty recurring prices in a session. */
const MAX_LINES = 20;
const MAX_QUANTITY = 999_999;
/** Stripe's own bound: two years. */
const MAX_TRIAL_DAYS = 730;

const Redirect = (description: string) => Type.String({ minLength: 1, maxLength: 2000, description });
const PriceId = Type.String({ minLength: 1, maxLength: 255, description: "Stripe's `price_…`." });
const Quantity = Type.Integer({ minimum: 1, maximum: MAX_QUANTITY, default: 1 });

const CreateSessionBody = named(
  'CreateCheckoutSessionRequest',
  WithProject({
    customer_id: CustomerId,
    price: Type.Optional(PriceId),
    lookup_key: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Instead of `price`.' })),
    line_items: Type.Optional(
      Type.Array(Closed({ price: PriceId, quantity: Type.Optional(Quantity) }), {
        minItems: 1,
        maxItems: MAX_LINES,
        description: 'Instead of `price`: several prices. A recurring one among them makes it a subscription.',
      }),
    ),
    quantity: Type.Optional(Quantity),
    success_url: Redirect('`{CHECKOUT_SESSION_ID}` in it becomes the id of the session.'),
    cancel_url: Redirect('Where the customer goes who does not buy.'),
    email: Type.Optional(
      Type.String({
        minLength: 3,
        maxLength: 512,
        pattern: '^[^@\\s]+@[^@\\s]+$',
        description: 'Kept for the customer.',
      }),
    ),
    trial_period_days: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MAX_TRIAL_DAYS, description: 'Once per customer and product.' }),
    ),
    allow_promotion_codes: Type.Optional(Type.Boolean()),
    automatic_tax: Type.Optional(Type.Boolean()),
    tax_id_collection: Type.Optional(Type.Boolean()),
    payment_method_collection: Type.Optional(
      OneOf(['always', 'if_required'], {
        description: '`if_required`: a trial needs no card, and ends without one.',
      }),
    ),
    allow_multiple: Type.Optional(
      Type.Boolean({ description: 'Lets a customer subscribe to a product that he is subscribed to. Default false.' }),
    ),
    metadata: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 500 }), {
        description: 'At most 40 keys, for your own use; kept on the session and on what it makes in Stripe.',
      }),
    ),
  }),
);

/** Sessions of Stripe's checkout page, over HTTP. */
export function registerCheckoutRoutes(app: App, deps: CheckoutDeps): void {
  app.post(
    '/api/v1/checkout/sessions',
    {
      config: write,
      schema: {
        tags: ['Checkout'],
        summary: 'Create a checkout session',
        description:
          'Answers with the page to send the customer to. One session per customer is open: a new one closes the one before. A product that the customer is subscribed to is refused with `already_subscribed`.',
        body: CreateSessionBody,
        response: { 201: CreatedSessionView },
      },
    },
    async (request, reply) => {
      const { customer_id, project_id: _, ...wishes } = request.body;
      const projectId = await requestedProject(request, deps.db);
      const row = await createSession(deps, { ...wishes, projectId, externalId: customer_id });
      return reply.code(201).send(createdSessionView(row, customer_id));
    },
  );

  app.get(
    '/api/v1/checkout/sessions/:id',
    {
      config: write,
      schema: {
        tags: ['Checkout'],
        summary: 'Get a checkout session',
        description:
          'For the success page: asks Stripe how the session stands and applies the purchase before it answers, so that a check right after it knows of it, whether the webhook has come or not.',
        params: Closed({ id: Type.String({ minLength: 1, maxLength: 255 }) }),
        querystring: WithProject({}),
        response: { 200: SessionView },
      },
    },
    async (request) => {
      const projectId = await requestedProject(request, deps.db);
      const { row, externalId } = await findSession(deps, projectId, request.params.id);
      deps.snapshots.forget(projectId, externalId);
      return sessionView(row, externalId);
    },
  );
}
