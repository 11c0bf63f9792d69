import { invalidRequest, missing } from '../errors.ts';
import { emit } from '../events.ts';
import type {
  Coupon,
  Customer,
  Discount,
  InvoiceLine,
  PromotionCode,
  Subscription,
  SubscriptionItem,
} from '../model.ts';
import { group, list, optional, text } from '../params.ts';
import type { World } from '../world.ts';
import { addPeriods } from './periods.ts';

/** How a discount is asked for, as parameters take it. */
export const discountsReader = list(
  group({ coupon: optional(text), promotion_code: optional(text), discount: optional(text) }),
);

/** A coupon that may be used, and the code that led to it. */
export interface Redemption {
  coupon: Coupon;
  code: PromotionCode | null;
  /** The discount that stands for it already. */
  discount?: Discount;
}

interface Asked {
  coupon?: string | undefined;
  promotion_code?: string | undefined;
  /** One that is there already, and stays. */
  discount?: string | undefined;
}

/**
 * A coupon that has not been deleted.
 *
 * @throws StripeError `resource_missing`
 */
export function needCoupon(world: World, id: string, param?: string): Coupon {
  const coupon = world.need('coupon', id, param);
  if (coupon.$.deleted === true) throw missing('coupon', id, param);
  return coupon;
}

/** Whether a coupon can be redeemed at the moment. */
function isRedeemable(world: World, coupon: Coupon): boolean {
  if (coupon.redeem_by !== null && coupon.redeem_by <= world.clock.now()) return false;
  return coupon.max_redemptions === null || coupon.times_redeemed < coupon.max_redemptions;
}

/**
 * What an asked-for discount gives.
 *
 * @throws StripeError when the coupon or code does not exist, or cannot be used any more
 */
export function redemptionOf(world: World, asked: Asked, param: string): Redemption {
  if (asked.promotion_code !== undefined) {
    const code = world.need('promotion_code', asked.promotion_code, `${param}[promotion_code]`);
    const spent = code.max_redemptions !== null && code.times_redeemed >= code.max_redemptions;
    const expired = code.expires_at !== null && code.expires_at <= world.clock.now();
    const coupon = needCoupon(world, code.promotion.coupon, `${param}[promotion_code]`);
    if (!code.active || spent || expired || !isRedeemable(world, coupon)) {
      throw invalidRequest(`This promotion code cannot be redeemed: '${code.code}'.`, {
        param: `${param}[promotion_code]`,
      });
    }
    return { coupon, code };
  }
  if (asked.discount !== undefined) {
    const discount = world.need('discount', asked.discount, `${param}[discount]`);
    return { coupon: world.need('coupon', discount.source.coupon, param), code: null, discount };
  }
  if (asked.coupon === undefined) throw invalidRequest('Give a coupon or a promotion code.', { param });
  const coupon = needCoupon(world, asked.coupon, `${param}[coupon]`);
  if (!isRedeemable(world, coupon)) {
    throw invalidRequest(`Coupon expired: ${coupon.id}`, { code: 'coupon_expired', param: `${param}[coupon]` });
  }
  return { coupon, code: null };
}

/** The active promotion code that a customer types, in any case. */
export function findCode(world: World, typed: string): PromotionCode | undefined {
  const wanted = typed.trim().toLowerCase();
  const found = world.store.all('promotion_code').find(({ active, code }) => active && code.toLowerCase() === wanted);
  return found && world.store.get('promotion_code', found.id);
}

const MONTHS = {
  interval: 'month',
  interval_count: 1,
  meter: null,
  trial_period_days: null,
  usage_type: 'licensed',
} as const;

/** Whom a discount is for. */
export interface DiscountOwner {
  customer: Customer | null;
  subscription: string | null;
  subscriptionItem?: string | null;
  checkoutSession?: string | null;
}

/** The discount that a redemption would be. */
export function discountFor(world: World, { coupon, code }: Redemption, owner: DiscountOwner): Discount {
  const start = world.clock.now();
  return {
    id: world.ids.make('di_'),
    object: 'discount',
    checkout_session: owner.checkoutSession ?? null,
    customer: owner.customer?.id ?? null,
    customer_account: null,
    end: coupon.duration === 'repeating' ? addPeriods(start, MONTHS, coupon.duration_in_months ?? 1) : null,
    invoice: null,
    invoice_item: null,
    promotion_code: code?.id ?? null,
    source: { coupon: coupon.id, type: 'coupon' },
    start,
    subscription: owner.subscription,
    subscription_item: owner.subscriptionItem ?? null,
  };
}

/** Uses a coupon up for a customer: makes the discount that stands for it. */
export function redeem(world: World, redemption: Redemption, owner: DiscountOwner): Discount {
  const { coupon, code } = redemption;
  coupon.times_redeemed += 1;
  coupon.valid = isRedeemable(world, coupon);
  if (code !== null) code.times_redeemed += 1;
  return world.store.insert('discount', discountFor(world, redemption, owner));
}

/** What a coupon takes off an amount, never more than there is. */
export function amountOff(coupon: Coupon, amount: number, currency: string): number {
  if (amount <= 0) return 0;
  if (coupon.percent_off !== null) return Math.round((amount * coupon.percent_off) / 100);
  return coupon.currency === currency ? Math.min(amount, coupon.amount_off ?? 0) : 0;
}

/** Takes discounts off the lines that they are good for, one after the other, and says how much each gave. */
export function applyDiscounts(
  world: World,
  lines: InvoiceLine[],
  discounts: readonly Discount[],
): { amount: number; discount: string }[] {
  const ofLines = lines.flatMap((line) => lineDiscounts(world, line));
  const ofAll = discounts.map((discount) => {
    const coupon = world.store.get('coupon', discount.source.coupon);
    let left = coupon?.amount_off ?? Number.POSITIVE_INFINITY;
    let given = 0;
    for (const line of lines) {
      const product = line.pricing?.price_details.product ?? '';
      const fits = coupon !== undefined && (coupon.$.products.length === 0 || coupon.$.products.includes(product));
      if (!fits || !line.discountable) continue;
      const rest = line.amount - line.discount_amounts.reduce((sum, { amount }) => sum + amount, 0);
      const amount = Math.min(left, amountOff(coupon, rest, line.currency));
      left -= amount;
      given += amount;
      line.discount_amounts.push({ amount, discount: discount.id });
    }
    return { amount: given, discount: discount.id };
  });
  return [...ofLines, ...ofAll];
}

/** Takes a line's own discounts off it, before those of the whole invoice. */
function lineDiscounts(world: World, line: InvoiceLine): { amount: number; discount: string }[] {
  if (!line.discountable) return [];
  return line.discounts.flatMap((id) => {
    const discount = world.store.get('discount', id);
    const coupon = discount && world.store.get('coupon', discount.source.coupon);
    if (coupon === undefined) return [];
    const rest = line.amount - line.discount_amounts.reduce((sum, { amount }) => sum + amount, 0);
    const amount = amountOff(coupon, rest, line.currency);
    line.discount_amounts.push({ amount, discount: id });
    return { amount, discount: id };
  });
}

/** The discounts of a subscription that still hold. One that is good `once` holds until it was on an invoice. */
export function activeDiscounts(world: World, ids: readonly string[]): Discount[] {
  return ids.flatMap((id) => {
    const discount = world.store.get('discount', id);
    if (discount === undefined) return [];
    if (discount.end !== null && discount.end <= world.clock.now()) return [];
    return [discount];
  });
}

/** A discount that is good once has been used when an earlier invoice with something to discount carries it. */
function isUsedUp(world: World, discount: Discount, subscription: string): boolean {
  if (world.store.get('coupon', discount.source.coupon)?.duration !== 'once') return false;
  const invoices = world.store.all('invoice', { key: 'subscription', value: subscription });
  return invoices.some(
    ({ status, total_discount_amounts }) =>
      status !== 'void' && total_discount_amounts.some((used) => used.discount === discount.id && used.amount > 0),
  );
}

/** The discounts of a subscription, or those of one of its items, that its next invoice may have. */
export function heldDiscounts(world: World, subscription: Subscription, ids = subscription.discounts): Discount[] {
  return activeDiscounts(world, ids).filter((discount) => !isUsedUp(world, discount, subscription.id));
}

/** The discount on a customer, which counts for invoices that have none of their own. */
export function customerDiscounts(world: World, { discount }: Customer): Discount[] {
  return discount === null ? [] : activeDiscounts(world, [discount.id]);
}

/** Gives a subscription these discounts in place of those that it has. */
export function setDiscounts(world: World, subscription: Subscription, redemptions: readonly Redemption[]): void {
  const before = subscription.discounts;
  const customer = world.store.get('customer', subscription.customer) ?? null;
  const owner = { customer, subscription: subscription.id };
  const kept = redemptions.map(({ discount }) => discount?.id);
  const now = redemptions.map((redemption) => redemption.discount ?? redeem(world, redemption, owner));
  subscription.discounts = now.map(({ id }) => id);
  for (const id of before) {
    const gone = kept.includes(id) ? undefined : world.store.get('discount', id);
    if (gone !== undefined) emit(world, 'customer.discount.deleted', gone);
  }
  for (const discount of now) {
    if (!kept.includes(discount.id)) emit(world, 'customer.discount.created', discount);
  }
}

/** Gives an item of a subscription these discounts in place of those that it has. */
export function setItemDiscounts(
  world: World,
  subscription: Subscription,
  item: SubscriptionItem,
  redemptions: readonly Redemption[],
): void {
  const customer = world.store.get('customer', subscription.customer) ?? null;
  const owner = { customer, subscription: null, subscriptionItem: item.id };
  item.discounts = redemptions.map((redemption) => (redemption.discount ?? redeem(world, redemption, owner)).id);
}

/** Takes away the discounts of a subscription and its items that are over. */
export function dropEndedDiscounts(world: World, subscription: Subscription): void {
  for (const holder of [subscription, ...subscription.items.data]) dropEnded(world, subscription, holder);
}

function dropEnded(world: World, subscription: Subscription, holder: { discounts: string[] }): void {
  if (holder.discounts.length === 0) return;
  const held = new Set(heldDiscounts(world, subscription, holder.discounts).map(({ id }) => id));
  const over = holder.discounts.filter((id) => !held.has(id));
  if (over.length === 0) return;
  holder.discounts = holder.discounts.filter((id) => held.has(id));
  for (const id of over) {
    const discount = world.store.get('discount', id);
    if (discount !== undefined) emit(world, 'customer.discount.deleted', discount);
  }
}
