import { findCustomer } from '../customers/find.ts';
import { TollgateError } from '../platform/errors.ts';
import { getProject } from '../projects/find-project.ts';
import { refuseLossInLiveMode } from '../stripe/never-deleted.ts';
import { isMissing, refusalOf, refusedParameter } from '../stripe/refusal.ts';
import type { CheckoutDeps } from './deps.ts';
import { ensurePortalConfiguration, forgetPortalConfiguration } from './portal-configuration.ts';
import { flowData, type PortalFlow } from './portal-flow.ts';
import { refuseBadRedirect } from './redirect.ts';
import { forgetStripeCustomer } from './stripe-customer.ts';

export interface CreatePortalSessionInput {
  projectId: string;
  /** The app's own id of the customer. */
  externalId: string;
  returnUrl: string;
  flow: PortalFlow | undefined;
}

/**
 * Makes a page of Stripe's on which the customer sees invoices, cancels, switches plans and changes the card.
 * @returns its URL
 * @throws TollgateError `invalid_request`, `redirect_not_allowed`, `no_billing_account`, `not_found` (subscription or
 *   price), `price_inactive`, `conflict`, `stripe_unavailable`, `stripe_refused`
 */
export async function createPortalSession(deps: CheckoutDeps, input: CreatePortalSessionInput): Promise<string> {
  const { db } = deps;
  const { projectId, returnUrl, flow } = input;
  const project = await getProject(db, projectId);
  refuseBadRedirect(returnUrl, 'return_url', project.accessPolicy.redirectOrigins);
  const customer = await findCustomer(db, projectId, input.externalId);
  const stripeCustomerId = customer?.stripe_customer_id ?? null;
  if (customer === undefined || stripeCustomerId === null) throw noBillingAccount();
  const flow_data =
    flow === undefined ? undefined : await flowData(db, { projectId, customerId: customer.id, returnUrl, flow });
  const connection = deps.connections.get(customer.connection_id);
  const ask = async (configuration: string) => {
    const session = await connection.client.billingPortal.sessions.create({
      customer: stripeCustomerId,
      configuration,
      return_url: returnUrl,
      ...(flow_data === undefined ? {} : { flow_data }),
    });
    return session.url;
  };
  const configuration = await ensurePortalConfiguration(deps, project);
  try {
    return await ask(configuration);
  } catch (error) {
    if (!isMissing(error)) throw refusalOf(error);
    switch (refusedParameter(error)) {
      case 'customer':
        refuseLossInLiveMode(connection, stripeCustomerId);
        await forgetStripeCustomer(deps, { customerId: customer.id, stripeCustomerId });
        throw noBillingAccount();
      case 'configuration':
        await forgetPortalConfiguration(deps, project.id, configuration);
        break;
      default:
        throw refusalOf(error);
    }
  }
  try {
    return await ask(await ensurePortalConfiguration(deps, project));
  } catch (error) {
    throw refusalOf(error);
  }
}

function noBillingAccount(): TollgateError {
  const detail =
    'The customer has bought nothing yet, so there is nothing to manage. Start with POST /api/v1/checkout/sessions.';
  return new TollgateError('no_billing_account', detail);
}
