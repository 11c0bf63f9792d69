import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Attribution, type AttributionHints, attribute } from '../../src/mirror/attribute.ts';
import { newId } from '../../src/platform/ids.ts';
import { INSTALLATION, type MirrorWorld, startMirrorWorld } from '../support/mirror-world.ts';

let world: MirrorWorld;
/** Two projects, and customers of theirs: `linked` has Stripe customer `cus_a`, `shared` in both has `cus_both`. */
let a: string;
let b: string;
let linked: string;
let plain: string;
let sharedA: string;
let sharedB: string;
let inB: string;

beforeAll(async () => {
  world = await startMirrorWorld();
  a = await world.addProject('a');
  b = await world.addProject('b');
  linked = await world.addCustomer(a, 'linked', 'cus_a');
  plain = await world.addCustomer(a, 'plain');
  sharedA = await world.addCustomer(a, 'shared', 'cus_both');
  sharedB = await world.addCustomer(b, 'shared', 'cus_both');
  inB = await world.addCustomer(b, 'in b', 'cus_b');
  const fact = { project_id: a, customer_id: plain, kind: 'subscription', object_id: 'sub_known' } as const;
  const recorded_at = new Date();
  await world.database.db
    .insertInto('tollgate.facts')
    .values({ ...fact, sequence: 1, body: '{}', recorded_at })
    .execute();
});
afterAll(() => world.close());

const NOTHING: AttributionHints = { known: [], metadata: [], stripeCustomer: null, priceIds: [], productIds: [] };

async function whose(hints: Partial<AttributionHints>): Promise<Attribution> {
  return await attribute(world.database.db, world.deps.connections.get('default'), { ...NOTHING, ...hints });
}

const stripeCustomer = (id: string, metadata: Record<string, string> | null = {}) => ({ id, metadata });
const stamp = (project?: string, customer?: string, installation = INSTALLATION) => ({
  ...(installation === '' ? {} : { tollgate_installation: installation }),
  ...(project === undefined ? {} : { tollgate_project: project }),
  ...(customer === undefined ? {} : { tollgate_customer: customer }),
});
const known = [{ kind: 'subscription' as const, id: 'sub_known' }];

describe('an object is ours', () => {
  it.each<[string, () => Partial<AttributionHints>, () => [project: string, customer: string]]>([
    ['when it is known', () => ({ known }), () => [a, plain]],
    ['when it is stamped', () => ({ metadata: [stamp(a, plain)] }), () => [a, plain]],
    ['when one of two objects is stamped', () => ({ metadata: [{}, null, stamp(a, plain)] }), () => [a, plain]],
    ["when it is stamped with the app's own id", () => ({ metadata: [stamp(a, 'plain')] }), () => [a, plain]],
    ['when it is stamped by hand', () => ({ metadata: [stamp(a, 'plain', '')] }), () => [a, plain]],
    ['when its Stripe customer is linked', () => ({ stripeCustomer: stripeCustomer('cus_a') }), () => [a, linked]],
    [
      'when its Stripe customer is stamped',
      () => ({ stripeCustomer: stripeCustomer('cus_new', stamp(a, plain)) }),
      () => [a, plain],
    ],
    [
      'when its Stripe customer is linked, whatever it costs',
      () => ({ stripeCustomer: stripeCustomer('cus_a'), priceIds: ['price_unknown'] }),
      () => [a, linked],
    ],
    [
      'and the price tells which project of a shared Stripe customer',
      () => ({ stripeCustomer: stripeCustomer('cus_both'), priceIds: ['price_b'] }),
      () => [b, sharedB],
    ],
    [
      'and so does the product alone',
      () => ({ stripeCustomer: stripeCustomer('cus_both'), productIds: ['prod_a'] }),
      () => [a, sharedA],
    ],
    [
      'and so does the stamp',
      () => ({ stripeCustomer: stripeCustomer('cus_both'), metadata: [stamp(b)] }),
      () => [b, sharedB],
    ],
    [
      'when price and client reference are ours',
      () => ({ priceIds: ['price_a'], clientReferenceId: 'plain' }),
      () => [a, plain],
    ],
    [
      'and the Stripe customer counts more than the client reference, which the payer can change',
      () => ({ stripeCustomer: stripeCustomer('cus_a'), priceIds: ['price_a'], clientReferenceId: 'plain' }),
      () => [a, linked],
    ],
    [
      'and everything may agree',
      () => ({
        known,
        metadata: [stamp(a, plain), stamp(a, 'plain')],
        priceIds: ['price_a'],
        productIds: ['prod_a'],
        clientReferenceId: 'plain',
      }),
      () => [a, plain],
    ],
  ])('%s', async (_when, hints, owner) => {
    const [projectId, customerId] = owner();
    expect(await whose(hints())).toMatchObject({ status: 'ours', projectId, customerId });
  });

  it.each<[string, () => Partial<AttributionHints>]>([
    ['by its stamp', () => ({ metadata: [stamp(a, 'somebody new')] })],
    ['by the Stripe customer’s stamp', () => ({ stripeCustomer: stripeCustomer('cus_new', stamp(a, 'somebody new')) })],
    [
      'by the price and a stamp without a project',
      () => ({ priceIds: ['price_a'], metadata: [stamp(undefined, 'somebody new')] }),
    ],
    ['by the price and the client reference', () => ({ priceIds: ['price_a'], clientReferenceId: 'somebody new' })],
  ])('with a customer never seen, %s', async (_how, hints) => {
    expect(await whose(hints())).toMatchObject({ status: 'new_customer', projectId: a, externalId: 'somebody new' });
  });
});

describe('who the customer is', () => {
  it.each<[boolean, string, () => Partial<AttributionHints>]>([
    [true, 'a stamp', () => ({ metadata: [stamp(a, plain)] })],
    [true, 'the stamp of its Stripe customer', () => ({ stripeCustomer: stripeCustomer('cus_x', stamp(a, 'new')) })],
    [false, 'a client reference', () => ({ priceIds: ['price_a'], clientReferenceId: 'plain' })],
    [false, 'a client reference to somebody new', () => ({ priceIds: ['price_a'], clientReferenceId: 'new' })],
    [false, 'a fact that may have come by one', () => ({ known })],
  ])('is proven (%s) by %s', async (proven, _how, hints) => {
    expect(await whose(hints())).toMatchObject({ proven });
  });
});

describe('an object is parked', () => {
  it.each<[string, string, () => Partial<AttributionHints>]>([
    ['customer_unknown', 'when only the price is ours', () => ({ priceIds: ['price_a'] })],
    ['customer_unknown', 'when only the project is stamped', () => ({ metadata: [stamp(a)] })],
    [
      'customer_unknown',
      'when the client reference cannot be an id',
      () => ({ priceIds: ['price_a'], clientReferenceId: 'a\nb' }),
    ],
    [
      'customer_unknown',
      'when the Stripe customer is a stranger',
      () => ({ priceIds: ['price_a'], stripeCustomer: stripeCustomer('cus_x') }),
    ],
    [
      'stamped_project_unknown',
      'when the stamped project is nobody’s',
      () => ({ metadata: [stamp(newId('prj'), 'x')] }),
    ],
    [
      'stamped_project_unknown',
      'when a customer is stamped and no project',
      () => ({ metadata: [stamp(undefined, 'x')] }),
    ],
    ['stamped_customer_unknown', 'when our own id is nobody’s', () => ({ metadata: [stamp(a, newId('cust'))] })],
    [
      'customer_conflict',
      'when it is known as another’s than the stamp says',
      () => ({ known, metadata: [stamp(a, linked)] }),
    ],
    [
      'customer_conflict',
      'when it is known as another’s than the Stripe customer',
      () => ({ known, stripeCustomer: stripeCustomer('cus_a') }),
    ],
    ['customer_conflict', 'when two stamps differ', () => ({ metadata: [stamp(a, plain), stamp(a, linked)] })],
    [
      'customer_conflict',
      'when stamp and link differ',
      () => ({ metadata: [stamp(a, plain)], stripeCustomer: stripeCustomer('cus_a') }),
    ],
    [
      'customer_conflict',
      'when the stamp names somebody new and the link somebody else',
      () => ({ metadata: [stamp(a, 'new')], stripeCustomer: stripeCustomer('cus_a') }),
    ],
    ['project_conflict', 'when the stamped customer is another project’s', () => ({ metadata: [stamp(a, inB)] })],
    ['project_conflict', 'when stamp and price differ', () => ({ metadata: [stamp(a, plain)], priceIds: ['price_b'] })],
    [
      'project_conflict',
      'when link and price differ',
      () => ({ stripeCustomer: stripeCustomer('cus_a'), priceIds: ['price_b'] }),
    ],
    [
      'project_conflict',
      'when it is known and its price is another project’s',
      () => ({ known, productIds: ['prod_b'] }),
    ],
    ['project_conflict', 'when it holds prices of two projects', () => ({ priceIds: ['price_a', 'price_b'] })],
    ['project_conflict', 'when two stamps name two projects', () => ({ metadata: [stamp(a), stamp(b)] })],
    [
      'project_ambiguous',
      'when a shared Stripe customer buys what nobody knows',
      () => ({ stripeCustomer: stripeCustomer('cus_both') }),
    ],
    [
      'installation_conflict',
      'when another installation stamped what is known here',
      () => ({ known, metadata: [stamp(a, plain, 'elsewhere')] }),
    ],
    [
      'installation_conflict',
      'when another installation stamped what our customer has',
      () => ({ stripeCustomer: stripeCustomer('cus_a'), metadata: [stamp(a, plain, 'elsewhere')] }),
    ],
    [
      'installation_conflict',
      'when another installation’s customer buys our price',
      () => ({ stripeCustomer: stripeCustomer('cus_x', stamp(a, 'x', 'elsewhere')), priceIds: ['price_a'] }),
    ],
    [
      'installation_conflict',
      'when both installations stamped it',
      () => ({ metadata: [stamp(a, plain), stamp(a, plain, 'elsewhere')] }),
    ],
  ])('%s %s', async (reason, _when, hints) => {
    expect(await whose(hints())).toMatchObject({ status: 'parked', reason });
  });
});

describe('an object is ignored', () => {
  it.each<[string, string, () => Partial<AttributionHints>]>([
    [
      'not_ours',
      'when nothing of it is known',
      () => ({ stripeCustomer: stripeCustomer('cus_x'), priceIds: ['price_x'], productIds: ['prod_x'] }),
    ],
    ['not_ours', 'when it has only a client reference', () => ({ clientReferenceId: 'plain' })],
    ['not_ours', 'when its metadata is somebody else’s', () => ({ metadata: [{ order: '6735' }] })],
    [
      'other_installation',
      'when another installation stamped it',
      () => ({ metadata: [stamp(newId('prj'), 'x', 'elsewhere')] }),
    ],
  ])('%s %s', async (reason, _when, hints) => {
    expect(await whose(hints())).toEqual({ status: 'ignored', reason });
  });

  it('by a connection whose Stripe account is another', async () => {
    const other = { ...world.deps.connections.get('default'), id: 'other' };
    const hints = { ...NOTHING, known, stripeCustomer: stripeCustomer('cus_a'), priceIds: ['price_a'] };
    expect(await attribute(world.database.db, other, hints)).toEqual({ status: 'ignored', reason: 'not_ours' });
  });
});
