import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/platform/ids.ts';
import { price, product } from '../support/mirror-objects.ts';
import { INSTALLATION, type MirrorWorld, startMirrorWorld } from '../support/mirror-world.ts';

let world: MirrorWorld;
let project: string;

beforeAll(async () => {
  world = await startMirrorWorld();
  project = await world.addProject('a');
});
afterAll(() => world.close());

const stamp = () => ({ tollgate_installation: INSTALLATION, tollgate_project: project });

async function productRow(id: string) {
  return await world.database.db.selectFrom('tollgate.products').selectAll().where('id', '=', id).executeTakeFirst();
}

async function priceRow(id: string) {
  return await world.database.db.selectFrom('tollgate.prices').selectAll().where('id', '=', id).executeTakeFirst();
}

describe('a product', () => {
  it('that is known takes name and state from Stripe', async () => {
    world.stripe.put(product('prod_a', { name: 'Business', active: false }));
    expect(await world.sync('product', 'prod_a')).toMatchObject({ status: 'applied', projectId: project });
    expect(await productRow('prod_a')).toMatchObject({ name: 'Business', active: false });
    expect((await world.sync('product', 'prod_a')).status).toBe('unchanged');
  });

  it('keeps the newer name when the earlier fetch answers last', async () => {
    world.stripe.put(product('prod_a', { name: 'Old' }));
    const held = world.stripe.holdNext('products/prod_a');
    const slow = world.sync('product', 'prod_a');
    await held.arrived;
    world.stripe.put(product('prod_a', { name: 'New' }));
    await world.sync('product', 'prod_a');
    held.release();
    expect((await slow).status).toBe('stale');
    expect(await productRow('prod_a')).toMatchObject({ name: 'New' });
  });

  it('without a stamp enters by import alone', async () => {
    world.stripe.put(product('prod_foreign'));
    expect(await world.sync('product', 'prod_foreign')).toMatchObject({ status: 'ignored', reason: 'not_imported' });
    expect(await productRow('prod_foreign')).toBeUndefined();
  });

  it('with the stamp of a project is that project’s', async () => {
    world.stripe.put(product('prod_stamped', { metadata: stamp() }));
    expect(await world.sync('product', 'prod_stamped')).toMatchObject({ status: 'applied', projectId: project });
    expect(await productRow('prod_stamped')).toMatchObject({ project_id: project, name: 'Pro' });
  });

  it('with another installation’s stamp is ignored; of ours with a project nobody has, parked', async () => {
    const elsewhere = { ...stamp(), tollgate_installation: 'elsewhere' };
    const nowhere = { ...stamp(), tollgate_project: newId('prj') };
    world.stripe.put(product('prod_else', { metadata: elsewhere }), product('prod_nowhere', { metadata: nowhere }));
    expect(await world.sync('product', 'prod_else')).toMatchObject({ status: 'ignored', reason: 'other_installation' });
    expect(await world.sync('product', 'prod_nowhere')).toMatchObject({ reason: 'stamped_project_unknown' });
  });

  it('that Stripe has no more is marked, and its mappings stay', async () => {
    world.stripe.remove('prod_a');
    expect(await world.sync('product', 'prod_a')).toMatchObject({ status: 'applied', projectId: project });
    expect(await productRow('prod_a')).toMatchObject({ deleted: true, active: false });
    const { rows } = await world.database.pool.query(`select 1 from tollgate.mappings where owner_id = 'prod_a'`);
    expect(rows).toHaveLength(1);
  });
});

describe('a price', () => {
  it('of a known product is mirrored, and of any other ignored', async () => {
    world.stripe.put(
      product('prod_a'),
      product('prod_other'),
      price('price_new', 'prod_a', { nickname: 'Monthly', unit_amount: 700 }),
      price('price_other', 'prod_other'),
    );
    expect(await world.sync('price', 'price_new')).toMatchObject({ status: 'applied', projectId: project });
    expect(await priceRow('price_new')).toMatchObject({ product_id: 'prod_a', nickname: 'Monthly', unit_amount: 700 });
    expect((await world.sync('price', 'price_new')).status).toBe('unchanged');
    expect(await world.sync('price', 'price_other')).toMatchObject({ status: 'ignored', reason: 'not_imported' });
  });

  it('of a stamped product brings the product when it is told of first', async () => {
    world.stripe.put(product('prod_late', { metadata: stamp() }), price('price_late', 'prod_late'));
    expect(await world.sync('price', 'price_late')).toMatchObject({ status: 'applied', projectId: project });
    expect(await productRow('prod_late')).toMatchObject({ project_id: project });
    expect(await priceRow('price_late')).toMatchObject({ product_id: 'prod_late' });
  });

  it('that Stripe has no more is marked', async () => {
    world.stripe.remove('price_new');
    expect(await world.sync('price', 'price_new')).toMatchObject({ status: 'applied' });
    expect(await priceRow('price_new')).toMatchObject({ deleted: true, active: false });
  });

  it('is offered again, with its product, when Stripe finds them after all', async () => {
    world.stripe.put(product('prod_back', { metadata: stamp() }), price('price_back', 'prod_back'));
    const both = async () => [await world.sync('product', 'prod_back'), await world.sync('price', 'price_back')];
    await both();
    world.stripe.remove('prod_back');
    world.stripe.remove('price_back');
    await both();
    world.stripe.put(product('prod_back', { metadata: stamp() }), price('price_back', 'prod_back'));
    expect(await both()).toMatchObject([{ status: 'applied' }, { status: 'applied' }]);
    expect(await productRow('prod_back')).toMatchObject({ deleted: false, active: true });
    expect(await priceRow('price_back')).toMatchObject({ deleted: false, active: true });
  });
});
