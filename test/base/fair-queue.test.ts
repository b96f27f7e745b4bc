import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairQueue } from '../../src/base/fair-queue.ts';

const owners = ['a', 'b', 'c'] as const;
type Item = { readonly owner: (typeof owners)[number]; readonly n: number };

test('owners take turns, each with its oldest first', () => {
  const queue = new FairQueue<string>();
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) queue.push(item[0]!, item);
  const taken = Array.from({ length: 7 }, () => queue.take());
  expect(taken).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3', undefined]);
});

test('whatever is put in and taken out, nothing is lost, and nobody waits behind two of another', () => {
  const action = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...owners) },
    { weight: 2, arbitrary: fc.constant('take' as const) },
    { weight: 1, arbitrary: fc.constant('delete' as const) },
  );
  const play = (actions: readonly (Item['owner'] | 'take' | 'delete')[]): void => {
    const queue = new FairQueue<Item>();
    const waiting: Item[] = [];
    /** How often each owner was served since the one in the key began to wait. */
    const overtaken = new Map<string, Map<string, number>>();
    const leave = (item: Item): void => {
      waiting.splice(waiting.indexOf(item), 1);
      if (!waiting.some(({ owner }) => owner === item.owner)) overtaken.delete(item.owner);
      else overtaken.set(item.owner, new Map());
    };
    actions.forEach((what, n) => {
      if (what === 'take') {
        const item = queue.take();
        expect(item === undefined).toBe(waiting.length === 0);
        if (item === undefined) return;
        expect(item).toBe(waiting.find(({ owner }) => owner === item.owner));
        leave(item);
        for (const [owner, counts] of overtaken) {
          if (owner === item.owner) continue;
          counts.set(item.owner, (counts.get(item.owner) ?? 0) + 1);
          expect(counts.get(item.owner), `${owner} waits behind ${item.owner}`).toBeLessThanOrEqual(1);
        }
      } else if (what === 'delete') {
        const item = waiting.at(-1);
        if (item === undefined) return;
        queue.delete(item.owner, item);
        leave(item);
      } else {
        const item = { owner: what, n };
        waiting.push(item);
        if (!overtaken.has(what)) overtaken.set(what, new Map());
        queue.push(what, item);
      }
      expect(queue.size).toBe(waiting.length);
    });
  };
  fc.assert(fc.property(fc.array(action, { maxLength: 60 }), play));
});
