import { needCoupon } from '../billing/discounts.ts';
import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { Coupon } from '../model.ts';
import {
  amount,
  clearable,
  decimal,
  flag,
  group,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  range,
  required,
  text,
} from '../params.ts';
import { route } from '../routes.ts';

const couponRoutes = [
  route(
    'POST',
    '/coupons',
    {
      amount_off: optional(amount),
      applies_to: optional(group({ products: optional(list(text)) })),
      currency: optional(text),
      duration: optional(oneOf('forever', 'once', 'repeating')),
      duration_in_months: optional(integer),
      id: optional(text),
      max_redemptions: optional(integer),
      metadata: optional(metadata),
      name: optional(text),
      percent_off: optional(decimal),
      redeem_by: optional(integer),
    },
    (world, params) => {
      if ((params.percent_off === undefined) === (params.amount_off === undefined)) {
        throw invalidRequest('You must pass either `percent_off` or `amount_off`.', { param: 'percent_off' });
      }
      const percent = params.percent_off === undefined ? null : Number(params.percent_off);
      if (percent !== null && (percent <= 0 || percent > 100)) {
        throw invalidRequest('Invalid percent_off: it has to be above 0 and at most 100.', { param: 'percent_off' });
      }
      if (params.amount_off !== undefined && params.currency === undefined) {
        throw invalidRequest('You must pass `currency` when passing `amount_off`.', { param: 'currency' });
      }
      if (params.duration === 'repeating' && params.duration_in_months === undefined) {
        throw invalidRequest('You must pass `duration_in_months` with a `repeating` duration.', {
          param: 'duration_in_months',
        });
      }
      const same = params.id === undefined ? undefined : world.store.get('coupon', params.id);
      if (same !== undefined && same.$.deleted !== true) {
        throw invalidRequest('Coupon already exists.', { code: 'resource_already_exists', param: 'id' });
      }
      // Its id is free again.
      if (same !== undefined) world.store.delete('coupon', same.id);
      const coupon: Coupon = world.store.insert('coupon', {
        id: params.id ?? world.ids.random.token(8),
        object: 'coupon',
        amount_off: params.amount_off ?? null,
        created: world.clock.now(),
        currency: params.currency?.toLowerCase() ?? null,
        duration: params.duration ?? 'once',
        duration_in_months: params.duration_in_months ?? null,
        livemode: false,
        max_redemptions: params.max_redemptions ?? null,
        metadata: mergeMetadata({}, params.metadata),
        name: params.name ?? null,
        percent_off: percent,
        redeem_by: params.redeem_by ?? null,
        times_redeemed: 0,
        valid: true,
        $: { products: params.applies_to?.products ?? [] },
      });
      emit(world, 'coupon.created', coupon);
      return coupon;
    },
  ),
  route('GET', '/coupons', { ...listShape, created: optional(range) }, (world, params) =>
    pageOf(world.store, 'coupon', params, {
      url: '/v1/coupons',
      keep: (coupon) => coupon.$.deleted !== true && (params.created?.(coupon.created) ?? true),
    }),
  ),
  route('GET', '/coupons/:id', {}, (world, _params, id) => needCoupon(world, id)),
  route(
    'POST',
    '/coupons/:id',
    { metadata: optional(metadata), name: optional(clearable(text)) },
    (world, params, id) => {
      const coupon = needCoupon(world, id);
      const metadataAfter = mergeMetadata(coupon.metadata, params.metadata);
      change(world, coupon, 'coupon.updated', () => {
        coupon.metadata = metadataAfter;
        if (params.name !== undefined) coupon.name = params.name;
      });
      return coupon;
    },
  ),
  route('DELETE', '/coupons/:id', {}, (world, _params, id) => {
    const coupon = needCoupon(world, id);
    Object.assign(coupon, { valid: false, $: { ...coupon.$, deleted: true } });
    emit(world, 'coupon.deleted', coupon);
    return { id, object: 'coupon', deleted: true };
  }),
];

const promotionCodeRoutes = [
  route(
    'POST',
    '/promotion_codes',
    {
      active: optional(flag),
      code: optional(text),
      customer: optional(text),
      expires_at: optional(integer),
      max_redemptions: optional(integer),
      metadata: optional(metadata),
      /** The older way to name the coupon, which clients without a version header still use. */
      coupon: optional(text),
      promotion: optional(group({ type: required(oneOf('coupon')), coupon: required(text) })),
      restrictions: optional(
        group({
          first_time_transaction: optional(flag),
          minimum_amount: optional(amount),
          minimum_amount_currency: optional(text),
        }),
      ),
    },
    (world, params) => {
      const named = params.promotion?.coupon ?? params.coupon;
      if (named === undefined) {
        throw invalidRequest('Missing required param: promotion.', { code: 'parameter_missing', param: 'promotion' });
      }
      const coupon = needCoupon(world, named, params.promotion === undefined ? 'coupon' : 'promotion[coupon]');
      if (params.customer !== undefined) world.need('customer', params.customer, 'customer');
      const code = params.code ?? world.ids.random.token(8).toUpperCase();
      const taken = world.store
        .all('promotion_code')
        .some((other) => other.active && other.code.toLowerCase() === code.toLowerCase());
      if (taken)
        throw invalidRequest(`An active promotion code with \`code: ${code}\` already exists.`, { param: 'code' });
      const promotionCode = world.store.insert('promotion_code', {
        id: world.ids.make('promo_'),
        object: 'promotion_code',
        active: params.active ?? true,
        code,
        created: world.clock.now(),
        customer: params.customer ?? null,
        customer_account: null,
        expires_at: params.expires_at ?? null,
        livemode: false,
        max_redemptions: params.max_redemptions ?? null,
        metadata: mergeMetadata({}, params.metadata),
        promotion: { coupon: coupon.id, type: 'coupon' },
        restrictions: {
          first_time_transaction: params.restrictions?.first_time_transaction ?? false,
          minimum_amount: params.restrictions?.minimum_amount ?? null,
          minimum_amount_currency: params.restrictions?.minimum_amount_currency ?? null,
        },
        times_redeemed: 0,
      });
      emit(world, 'promotion_code.created', promotionCode);
      return promotionCode;
    },
  ),
  route(
    'GET',
    '/promotion_codes',
    {
      ...listShape,
      active: optional(flag),
      code: optional(text),
      coupon: optional(text),
      created: optional(range),
      customer: optional(text),
    },
    (world, params) =>
      pageOf(world.store, 'promotion_code', params, {
        url: '/v1/promotion_codes',
        keep: (code) =>
          (params.active === undefined || code.active === params.active) &&
          (params.code === undefined || code.code.toLowerCase() === params.code.toLowerCase()) &&
          (params.coupon === undefined || code.promotion.coupon === params.coupon) &&
          (params.customer === undefined || code.customer === params.customer) &&
          (params.created?.(code.created) ?? true),
      }),
  ),
  route('GET', '/promotion_codes/:id', {}, (world, _params, id) => world.need('promotion_code', id)),
  route(
    'POST',
    '/promotion_codes/:id',
    { active: optional(flag), metadata: optional(metadata) },
    (world, params, id) => {
      const code = world.need('promotion_code', id);
      const metadataAfter = mergeMetadata(code.metadata, params.metadata);
      change(world, code, 'promotion_code.updated', () => {
        code.active = params.active ?? code.active;
        code.metadata = metadataAfter;
      });
      return code;
    },
  ),
];

export const discountRoutes = [...couponRoutes, ...promotionCodeRoutes];
