import { accountRoutes } from './account.ts';
import { balanceTransactionRoutes } from './balance-transactions.ts';
import { billingPortalRoutes } from './billing-portal.ts';
import { chargeRoutes } from './charges.ts';
import { checkoutSessionRoutes } from './checkout-sessions.ts';
import { discountRoutes } from './coupons.ts';
import { customerBalanceRoutes } from './customer-balance.ts';
import { customerRoutes } from './customers.ts';
import { disputeRoutes } from './disputes.ts';
import { entitlementRoutes } from './entitlements.ts';
import { eventRoutes } from './events.ts';
import { invoiceDraftRoutes } from './invoice-drafts.ts';
import { invoicePreviewRoutes } from './invoice-preview.ts';
import { invoiceItemRoutes } from './invoiceitems.ts';
import { invoiceRoutes } from './invoices.ts';
import { paymentIntentRoutes } from './payment-intents.ts';
import { paymentLinkRoutes } from './payment-links.ts';
import { paymentMethodRoutes } from './payment-methods.ts';
import { paymentPageRoutes } from './payment-pages.ts';
import { priceRoutes } from './prices.ts';
import { productFeatureRoutes } from './product-features.ts';
import { productRoutes } from './products.ts';
import { refundRoutes } from './refunds.ts';
import { searchRoutes } from './search.ts';
import { setupIntentRoutes } from './setup-intents.ts';
import { sourceRoutes } from './sources.ts';
import { subscriptionItemRoutes } from './subscription-items.ts';
import { subscriptionScheduleRoutes } from './subscription-schedules.ts';
import { subscriptionRoutes } from './subscriptions.ts';
import { testClockRoutes } from './test-clocks.ts';
import { webhookEndpointRoutes } from './webhook-endpoints.ts';

/** Every operation under `/v1`. */
export const apiRoutes = [
  ...accountRoutes,
  ...balanceTransactionRoutes,
  ...billingPortalRoutes,
  ...chargeRoutes,
  ...checkoutSessionRoutes,
  ...customerBalanceRoutes,
  ...customerRoutes,
  ...discountRoutes,
  ...disputeRoutes,
  ...entitlementRoutes,
  ...eventRoutes,
  ...invoiceDraftRoutes,
  ...invoiceItemRoutes,
  ...invoicePreviewRoutes,
  ...invoiceRoutes,
  ...paymentIntentRoutes,
  ...paymentLinkRoutes,
  ...paymentPageRoutes,
  ...paymentMethodRoutes,
  ...priceRoutes,
  ...productFeatureRoutes,
  ...productRoutes,
  ...refundRoutes,
  ...searchRoutes,
  ...setupIntentRoutes,
  ...sourceRoutes,
  ...subscriptionItemRoutes,
  ...subscriptionRoutes,
  ...subscriptionScheduleRoutes,
  ...testClockRoutes,
  ...webhookEndpointRoutes,
];
