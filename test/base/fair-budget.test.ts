import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairBudget } from '../../src/base/fair-budget.ts';

test('one owner alone has three quarters, two have three sevenths each', () => {
  const budget = new FairBudget(700);
  expect([budget.take('a', 526), budget.take('a', 525)]).toEqual([false, true]);
  budget.giveBack('a', 225);
  expect([budget.take('b', 301), budget.take('b', 300), budget.take('a', 1), budget.bytes]).toEqual([
    false,
    true,
    false,
    600,
  ]);
});

test('whatever is taken and given back, the sum is right, nothing is beyond the budget, and a newcomer finds room', () => {
  const action = fc.record({
    owner: fc.constantFrom('a', 'b', 'c', 'd'),
    bytes: fc.integer({ min: 0, max: 2_000 }),
    isTaken: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 100 }), (actions) => {
      const budget = new FairBudget(4_000);
      const held = new Map<string, number>();
      for (const { owner, bytes, isTaken } of actions) {
        const own = held.get(owner) ?? 0;
        if (!isTaken) {
          budget.giveBack(owner, Math.min(own, bytes));
          held.set(owner, own - Math.min(own, bytes));
        } else if (budget.take(owner, bytes)) held.set(owner, own + bytes);
        const sum = [...held.values()].reduce((total, each) => total + each, 0);
        expect(budget.bytes).toBe(sum);
        expect(budget.owners).toBe([...held.values()].filter((each) => each > 0).length);
        // Who comes first takes three quarters, the next three quarters of what is left: so do four, at most, and a newcomer.
        const free = 4_000 - budget.bytes;
        expect(free).toBeGreaterThanOrEqual(4_000 / 4 ** 4);
        const room = Math.floor((free * 3) / 4);
        expect(budget.take('newcomer', room)).toBe(true);
        budget.giveBack('newcomer', room);
      }
    }),
  );
});

test('what was never taken cannot be given back', () => {
  const budget = new FairBudget(100);
  budget.take('a', 10);
  expect(() => budget.giveBack('a', 11)).toThrow('BUG');
});
