import { expect, test } from 'vitest';
import { shared } from '../../src/revenue/shared.ts';

test('whoever asks while the same is worked out gets that one answer, and whoever asks later a new one', async () => {
  const gate = Promise.withResolvers<void>();
  let worked = 0;
  const ask = shared(async (key) => {
    worked += 1;
    const mine = worked;
    await gate.promise;
    return `${key} ${mine}`;
  });
  const together = Promise.all([ask('a'), ask('a'), ask('b')]);
  gate.resolve();
  expect(await together).toEqual(['a 1', 'a 1', 'b 2']);
  expect(await ask('a')).toBe('a 3');
});

test('a failure is told to those who waited, and the next one tries again', async () => {
  let worked = 0;
  const ask = shared(async () => {
    worked += 1;
    if (worked === 1) throw new Error('No database.');
    return worked;
  });
  await expect(ask('a')).rejects.toThrow('No database.');
  expect(await ask('a')).toBe(2);
});
