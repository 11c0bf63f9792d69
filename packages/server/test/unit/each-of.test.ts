import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { eachOf } from '../../src/platform/each-of.ts';

describe('something that is done with each item', () => {
  test('gives its results in the order of the items, whichever ends first', async () => {
    const turns = [3, 1, 2];
    const act = async (wait: number) => {
      for (let n = 0; n < wait; n++) await turn();
      return wait * 10;
    };
    expect(await eachOf(turns, 3, act)).toEqual([30, 10, 20]);
    expect(await eachOf([], 3, act)).toEqual([]);
  });

  test('is done with so many at a time', async () => {
    let underWay = 0;
    let most = 0;
    await eachOf(Array.from({ length: 9 }), 4, async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await turn();
      underWay -= 1;
    });
    expect(most).toBe(4);
  });

  test('is begun with no further item after an error, and the error is known when all have ended', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const act = async (n: number) => {
      begun.push(n);
      if (n === 1) throw new Error('The second fails.');
      for (let wait = 0; wait < 5; wait++) await turn();
      ended.push(n);
    };
    await expect(eachOf([0, 1, 2, 3, 4], 2, act)).rejects.toThrow('The second fails.');
    expect([begun, ended]).toEqual([[0, 1], [0]]);
  });
});
