import { expect, test } from 'vitest';
import { observed } from '../support/observed.ts';
import { shapeProblems } from '../support/shape-check.ts';

async function aPrice(): Promise<Record<string, unknown>> {
  const { stripe, sandbox } = await observed();
  const price = await stripe.prices.create({ currency: 'usd', unit_amount: 100, product_data: { name: 'Pro' } });
  const answer = await fetch(`${sandbox.url}/v1/prices/${price.id}?expand[]=product`, {
    headers: { authorization: 'Bearer sk_test_raw' },
  });
  return (await answer.json()) as Record<string, unknown>;
}

test('an object as the client declares it has no problems', async () => {
  expect(shapeProblems(await aPrice())).toEqual([]);
});

test('a missing field, an undeclared field, a wrong type, a wrong word and a null are each found', async () => {
  const price = await aPrice();
  const { currency: _currency, ...without } = price;
  expect(shapeProblems(without)).toEqual(['$.currency is missing (Price)']);
  expect(shapeProblems({ ...price, colour: 'red' })).toEqual(['$.colour is not declared (Price)']);
  expect(shapeProblems({ ...price, created: 'today' })).toEqual(['$.created is "today", not number']);
  expect(shapeProblems({ ...price, type: 'sometimes' })[0]).toContain('$.type is "sometimes", not "one_time"');
  expect(shapeProblems({ ...price, active: null })[0]).toContain('$.active is null');
  expect(shapeProblems({ ...price, unit_amount_decimal: 'many' })[0]).toContain('$.unit_amount_decimal is "many"');
});

test('what is wrong inside an expanded object, a list and an event is found too', async () => {
  const price = await aPrice();
  const product = { ...(price.product as Record<string, unknown>), name: 7 };
  expect(shapeProblems({ ...price, product })).toEqual(['$.product.name is 7, not string']);
  const page = { object: 'list', url: '/v1/prices', has_more: false, data: [{ ...price, product }] };
  expect(shapeProblems(page)).toEqual(['$.data[0].product.name is 7, not string']);
  const event = {
    id: 'evt_1',
    object: 'event',
    api_version: null,
    created: 1,
    data: { object: { ...price, product } },
    livemode: false,
    pending_webhooks: 0,
    request: null,
    type: 'price.created',
  };
  expect(shapeProblems(event)).toEqual(['$(price.created).data.object.product.name is 7, not string']);
  expect(shapeProblems({ ...event, type: 'product.created' })[0]).toContain('.data.object');
  expect(shapeProblems({ ...event, type: 'price.painted' })[0]).toContain('no event "price.painted"');
});
