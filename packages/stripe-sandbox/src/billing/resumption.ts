import { change, emit } from '../events.ts';
import type { Invoice, Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { voidInvoice } from './invoices.ts';
import { planNext } from './planning.ts';

/** The invoice that a pause hung on is settled: the subscription runs again. @returns whether it hung on this one */
export function resumeAfter(world: World, subscription: Subscription, invoice: Invoice): boolean {
  if (subscription.$.resumption?.invoice !== invoice.id) return false;
  delete subscription.$.resumption;
  change(world, subscription, 'customer.subscription.updated', () => {
    subscription.status = 'active';
  });
  emit(world, 'customer.subscription.resumed', subscription);
  planNext(world, subscription);
  return true;
}

/** The time to pay for a resumption is up: its invoice is voided, the subscription stays paused. */
export function dropResumption(world: World, subscription: Subscription): void {
  const invoice = world.store.get('invoice', subscription.$.resumption?.invoice ?? '');
  delete subscription.$.resumption;
  if (invoice?.status === 'open') voidInvoice(world, invoice);
}
