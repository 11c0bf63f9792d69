import { expect, test } from 'vitest';
import { Shelf } from '../src/shelf.ts';
import { sandboxWithClient } from './support/sandbox.ts';
import { payingCustomer } from './support/shop.ts';

interface Thing {
  id: string;
  owner: string | null;
}

function shelfOf(...owners: (string | null)[]) {
  const shelf = new Shelf<Thing>({ owner: ({ owner }) => owner });
  const things = owners.map((owner, index) => ({ id: `thing_${index}`, owner }));
  for (const thing of things) shelf.insert(thing);
  const ids = (owner: string) => shelf.with('owner', owner).map(({ id }) => id);
  return { shelf, things, ids };
}

test('things are found by what they are looked up by, oldest first', () => {
  const { shelf, ids } = shelfOf('ann', 'bob', 'ann', null);
  expect([ids('ann'), ids('bob'), ids('nobody')]).toEqual([['thing_0', 'thing_2'], ['thing_1'], []]);
  expect(shelf.with('colour', 'red')).toEqual([]);
});

test('a thing that changes hands takes its place among the other owner’s things', () => {
  const { shelf, things, ids } = shelfOf('ann', 'bob', 'ann', null, 'bob');
  for (const index of [2, 3]) {
    const thing = things[index] as Thing;
    shelf.rekey(thing, () => {
      thing.owner = 'bob';
    });
  }
  expect([ids('ann'), ids('bob')]).toEqual([['thing_0'], ['thing_1', 'thing_2', 'thing_3', 'thing_4']]);
});

test('a change that is broken off leaves a thing filed under what it is by then', () => {
  const { shelf, things, ids } = shelfOf('ann');
  const [thing] = things as [Thing];
  const broken = () =>
    shelf.rekey(thing, () => {
      thing.owner = 'bob';
      throw new Error('refused');
    });
  expect(broken).toThrow('refused');
  expect([ids('ann'), ids('bob')]).toEqual([[], ['thing_0']]);
});

test('what is deleted leaves its place behind, and what is forgotten does not', () => {
  const { shelf, ids } = shelfOf('ann', 'ann', 'ann');
  shelf.delete('thing_1');
  shelf.delete('thing_1');
  expect([shelf.get('thing_1'), shelf.position('thing_1'), ids('ann')]).toEqual([undefined, 2, ['thing_0', 'thing_2']]);
  shelf.forgetOldest(1);
  expect([shelf.position('thing_0'), ids('ann')]).toEqual([undefined, ['thing_2']]);
});

test('an intent that is given its customer later is in the list of that customer', async () => {
  const { stripe } = await sandboxWithClient();
  const customer = await payingCustomer(stripe);
  const payment = await stripe.paymentIntents.create({ amount: 500, currency: 'usd' });
  const setup = await stripe.setupIntents.create({});
  await stripe.paymentIntents.update(payment.id, { customer: customer.id });
  await stripe.setupIntents.update(setup.id, { customer: customer.id });
  const lists = [
    stripe.paymentIntents.list({ customer: customer.id }),
    stripe.setupIntents.list({ customer: customer.id }),
  ];
  const found = (await Promise.all(lists)).map(({ data }) => data.map(({ id }) => id));
  expect(found).toEqual([[payment.id], [setup.id]]);
});

test('customers are found by the address that they have by now', async () => {
  const { stripe } = await sandboxWithClient();
  const customer = await stripe.customers.create({ email: 'ann@example.com' });
  await stripe.customers.update(customer.id, { email: 'ann@example.org' });
  expect((await stripe.customers.list({ email: 'ann@example.com' })).data).toEqual([]);
  expect((await stripe.customers.list({ email: 'ann@example.org' })).data).toMatchObject([{ id: customer.id }]);
});
