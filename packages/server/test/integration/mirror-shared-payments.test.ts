/** One payment of the subscriptions of several customers: it counts for each of them, and is in the ledger of one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syncObject } from '../../src/mirror/sync-object.ts';
import { invoices } from '../../src/reconciliation/invoices.ts';
import type { Look } from '../../src/reconciliation/kind.ts';
import {
  customer,
  DAY,
  dispute,
  invoice,
  invoicePayment,
  item,
  paymentIntent,
  price,
  START,
  subscription,
} from '../support/mirror-objects.ts';
import { type MirrorWorld, startMirrorWorld } from '../support/mirror-world.ts';

let world: MirrorWorld;
let project: string;

beforeAll(async () => {
  world = await startMirrorWorld();
  world.setNow((START + 5 * DAY) * 1000);
  project = await world.addProject('a');
});
afterAll(() => world.close());

/** An operator's word. */
async function attach(subscriptionId: string, customerId: string): Promise<void> {
  const word = { project_id: project, customer_id: customerId, reason: 'Theirs', actor: 'ada', created_at: new Date() };
  await world.database.db
    .insertInto('tollgate.attachments')
    .values({ connection_id: 'default', object_id: subscriptionId, ...word })
    .onConflict((conflict) => conflict.columns(['connection_id', 'object_id']).doUpdateSet(word))
    .execute();
}

async function attachAndSync(subscriptionId: string, customerId: string): Promise<void> {
  await attach(subscriptionId, customerId);
  expect(await world.sync('subscription', subscriptionId)).toMatchObject({ status: 'applied', customerId });
}

const made = { created: START + 600 };
const disputed = { entitled: false, reason: 'disputed' };

/** One payment of two subscriptions of one Stripe customer, who is the first of two customers. */
async function paidForTwo(name: string): Promise<{ mine: string; theirs: string }> {
  const mine = await world.addCustomer(project, `mine_${name}`, `cus_${name}`);
  const theirs = await world.addCustomer(project, `theirs_${name}`);
  world.stripe.put(customer(`cus_${name}`), paymentIntent(`pi_${name}`));
  for (const n of [1, 2]) {
    const [sub, inv, si] = [`sub_${name}_${n}`, `in_${name}_${n}`, `si_${name}_${n}`];
    const line = {
      id: `il_${n}`,
      amount: 5000,
      period: { start: START, end: START + 30 * DAY },
      pricing: { price_details: { price: 'price_a', product: 'prod_a' } },
      parent: { subscription_item_details: { subscription: sub, subscription_item: si } },
    };
    const payment = invoicePayment(`inpay_${name}_${n}`, inv, `pi_${name}`);
    const paid = { status: 'paid', billing_reason: 'subscription_create', payments: { data: [payment] } };
    world.stripe.put(
      subscription(sub, `cus_${name}`, [item(si, price('price_a', 'prod_a'))], { latest_invoice: inv }),
      invoice(inv, sub, { ...paid, lines: { data: [line], has_more: false } }),
      payment,
    );
  }
  return { mine, theirs };
}

const accessOfBoth = async (name: string) => [
  await world.access(project, `mine_${name}`),
  await world.access(project, `theirs_${name}`),
];

function disputeShared(name: string): void {
  const charge = { id: `ch_${name}`, object: 'charge', customer: `cus_${name}`, payment_intent: `pi_${name}` };
  world.stripe.put({ ...charge, amount_refunded: 0, disputed: true, paid: true });
  world.stripe.put(dispute(`dp_${name}`, `pi_${name}`, made));
}

/** Whose fact it is. */
async function ownerOf(id: string): Promise<string | undefined> {
  const facts = world.database.db.selectFrom('tollgate.facts').where('object_id', '=', id);
  return (await facts.select('customer_id').executeTakeFirst())?.customer_id;
}

/** Whose the payment of two is among the facts and in the ledger, and whose its dispute. */
async function ownersInLedger(id: string): Promise<(string | undefined)[]> {
  const { db } = world.database;
  const row = db.selectFrom('tollgate.payments').select('customer_id').where('id', '=', id);
  const fought = db.selectFrom('tollgate.disputes').select('customer_id').where('payment_id', '=', id);
  return [
    await ownerOf(id),
    (await row.executeTakeFirst())?.customer_id,
    (await fought.executeTakeFirst())?.customer_id,
  ];
}

/** Compares the invoices of a payment of two, each by itself. @returns those that differed and were repaired */
async function repairInvoices(name: string): Promise<string[]> {
  const { db, connections } = world.deps;
  const look: Look = {
    db,
    connection: connections.get('default'),
    scope: { projectId: null, customerId: null },
    ask: (_, run) => run(),
  };
  const repaired: string[] = [];
  for (const id of [`in_${name}_1`, `in_${name}_2`]) {
    if ((await invoices.compareOne(look, id)).status !== 'drift') continue;
    await world.sync('invoice', id);
    repaired.push(id);
  }
  return repaired;
}

/** Syncs an object once more where somebody asked for it. */
async function syncIfAsked(id: string): Promise<void> {
  const { rows } = await world.database.pool.query(
    'delete from graphile_worker._private_jobs where key = $1 returning payload',
    [`sync:default:${id}`],
  );
  for (const { payload } of rows) await syncObject(world.deps, payload);
}

describe('a payment', () => {
  it('that paid for subscriptions of two customers bars both, whoever has it, and gives both back', async () => {
    const { mine, theirs } = await paidForTwo('both');
    world.stripe.put(dispute('dp_both', 'pi_both', made));
    const both = () => accessOfBoth('both');
    expect(await world.sync('payment', 'pi_both')).toMatchObject({ status: 'applied', customerId: mine });
    await attachAndSync('sub_both_2', theirs);
    expect(await both()).toEqual([disputed, disputed]);
    await attachAndSync('sub_both_1', theirs);
    expect(await both()).toEqual([{ entitled: false, reason: 'no_source' }, disputed]);
    await attachAndSync('sub_both_1', mine);
    expect(await both()).toEqual([disputed, disputed]);
    const standing = { entitled: true, reason: 'subscription_active' };
    world.stripe.put(dispute('dp_both', 'pi_both', { ...made, status: 'won' }));
    await world.sync('payment', 'pi_both');
    expect(await both()).toEqual([standing, standing]);
    world.stripe.put(dispute('dp_both', 'pi_both', { ...made, status: 'lost' }));
    await world.sync('payment', 'pi_both');
    expect(await both()).toEqual([disputed, disputed]);
  });

  it.each([
    ['its dispute', 'payment', 'pi_told'],
    ['the second subscription', 'subscription', 'sub_found_2'],
  ] as const)(
    'that paid for subscriptions of two bars both when %s tells of it while only the first one is known',
    async (_, type, id) => {
      const name = id.split('_')[1] as string;
      const { mine, theirs } = await paidForTwo(name);
      expect(await world.sync('subscription', `sub_${name}_1`)).toMatchObject({ status: 'applied', customerId: mine });
      await attach(`sub_${name}_2`, theirs);
      disputeShared(name);
      await world.sync(type, id);
      await syncIfAsked(`pi_${name}`);
      expect(await accessOfBoth(name)).toEqual([disputed, disputed]);
    },
  );

  it('that paid for subscriptions of two stays with whoever has it, when both become known at once', async () => {
    const { mine, theirs } = await paidForTwo('twice');
    await attach('sub_twice_2', theirs);
    disputeShared('twice');
    const holds = [world.stripe.holdNext('disputes'), world.stripe.holdNext('disputes')] as const;
    const first = world.sync('subscription', 'sub_twice_1');
    await holds[0].arrived;
    const second = world.sync('subscription', 'sub_twice_2');
    await holds[1].arrived;
    holds[0].release();
    expect(await first).toMatchObject({ status: 'applied', customerId: mine });
    holds[1].release();
    expect(await second).toMatchObject({ status: 'applied', customerId: theirs });
    expect(await ownerOf('pi_twice')).toBe(mine);
    await syncIfAsked('pi_twice');
    expect(await ownerOf('pi_twice')).toBe(mine);
    expect(await accessOfBoth('twice')).toEqual([disputed, disputed]);
  });

  it.each([1, 2])(
    'that paid for subscriptions of two is whole in the ledger of one of them, whichever is moved (%i)',
    async (n) => {
      const name = `whole${n}`;
      const { mine, theirs } = await paidForTwo(name);
      disputeShared(name);
      expect(await world.sync('payment', `pi_${name}`)).toMatchObject({ status: 'applied', customerId: mine });
      await attachAndSync(`sub_${name}_${n}`, theirs);
      const [first, ...others] = await ownersInLedger(`pi_${name}`);
      expect(others).toEqual([first, first]);
      expect(await repairInvoices(name)).toEqual([]);
      expect(await ownersInLedger(`pi_${name}`)).toEqual([first, first, first]);
      await attachAndSync(`sub_${name}_${3 - n}`, theirs);
      expect(await ownersInLedger(`pi_${name}`)).toEqual([theirs, theirs, theirs]);
      expect(await repairInvoices(name)).toEqual([]);
    },
  );

  it.each([1, 2])(
    'that paid for subscriptions of two and simply went through is no drift that comes back (%i)',
    async (n) => {
      const name = `plain${n}`;
      const { theirs } = await paidForTwo(name);
      for (const sub of [1, 2]) await world.sync('subscription', `sub_${name}_${sub}`);
      await attachAndSync(`sub_${name}_${n}`, theirs);
      await repairInvoices(name);
      expect(await repairInvoices(name)).toEqual([]);
    },
  );
});
