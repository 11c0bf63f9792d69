import { createHash } from 'node:crypto';
import { canonicalJson } from '../platform/canonical-json.ts';
import type { Project } from '../projects/find-project.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { askStripe, refusalOf, refusedParameter } from '../stripe/refusal.ts';
import { stamps } from '../stripe/stamps.ts';
import type { Stripe } from '../stripe/types.ts';
import type { CheckoutDeps } from './deps.ts';
import { type PortalOffers, portalOffers, withoutRivals } from './portal-offers.ts';

/** Grows with every change of what is asked of Stripe below, so that each project gets a new configuration. */
const VERSION = 1;

type Features = Stripe.BillingPortal.ConfigurationCreateParams.Features;

/**
 * The project's own configuration of the portal, made anew when what it sells has changed. Without one, the account's
 * default would offer the plans of other projects.
 * @returns Stripe's `bpc_…`
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`
 */
export async function ensurePortalConfiguration(deps: CheckoutDeps, project: Project): Promise<string> {
  const { db, clock } = deps;
  const offers = await portalOffers(db, project.id);
  const fingerprint = createHash('sha256')
    .update(canonicalJson([VERSION, project.connectionId, offers]))
    .digest('hex');
  const known = await db
    .selectFrom('tollgate.portal_configurations')
    .select('configuration_id')
    .where('project_id', '=', project.id)
    .where('fingerprint', '=', fingerprint)
    .executeTakeFirst();
  if (known !== undefined) return known.configuration_id;
  const made = await createConfiguration(deps.connections.get(project.connectionId), project.id, offers);
  const state = { configuration_id: made.id, fingerprint, updated_at: new Date(clock.now()) };
  await db
    .insertInto('tollgate.portal_configurations')
    .values({ project_id: project.id, ...state })
    .onConflict((conflict) => conflict.column('project_id').doUpdateSet(state))
    .execute();
  return made.id;
}

/** Forgets a configuration that Stripe has no more. */
export async function forgetPortalConfiguration(
  { db }: CheckoutDeps,
  projectId: string,
  configurationId: string,
): Promise<void> {
  await db
    .deleteFrom('tollgate.portal_configurations')
    .where('project_id', '=', projectId)
    .where('configuration_id', '=', configurationId)
    .execute();
}

async function createConfiguration(
  { client, installation }: StripeConnection,
  projectId: string,
  offers: PortalOffers,
): Promise<Stripe.BillingPortal.Configuration> {
  const metadata = stamps({ installation, projectId });
  const create = (of: PortalOffers) =>
    client.billingPortal.configurations.create({ features: featuresOf(of), metadata });
  try {
    return await create(offers);
  } catch (error) {
    if (refusedParameter(error)?.startsWith('features[subscription_update]') !== true) throw refusalOf(error);
    // Prices of one product that are charged at the same pace are a choice that the portal may refuse to show.
    return await askStripe(() => create(withoutRivals(offers)));
  }
}

function featuresOf({ products, byQuantity }: PortalOffers): Features {
  return {
    customer_update: { enabled: true, allowed_updates: ['name', 'email', 'address', 'phone', 'tax_id'] },
    invoice_history: { enabled: true },
    payment_method_update: { enabled: true },
    subscription_cancel: { enabled: true, mode: 'at_period_end' },
    subscription_update:
      products.length === 0
        ? { enabled: false }
        : {
            enabled: true,
            default_allowed_updates: ['price', 'promotion_code', ...(byQuantity ? ['quantity' as const] : [])],
            // An upgrade unlocks at once, so it is paid at once.
            proration_behavior: 'always_invoice',
            products: products.map(({ product, prices }) => ({ product, prices: prices.map(({ id }) => id) })),
          },
  };
}
