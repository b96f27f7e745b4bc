// Random uses, one inside another: what is used is open, what nobody uses is within the bound, nothing is closed twice.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { UseCache } from '../../src/query/use-cache.ts';

interface Thing {
  readonly key: number;
  weight: number;
  isOpen: boolean;
}

/** Uses `key`, does `inside` meanwhile, leaves it weighing `weight`; or drops it, or throws. */
interface Step {
  readonly key: number;
  readonly weight: number;
  readonly what: 'use' | 'throw' | 'drop' | 'closeUnused' | 'failToOpen';
  readonly inside: readonly Step[];
}

const WEIGHT_MAX = 10;

const stepOf = (depth: number): fc.Arbitrary<Step> =>
  fc.record({
    key: fc.integer({ min: 0, max: 8 }),
    weight: fc.integer({ min: 1, max: 4 }),
    what: fc.constantFrom('use', 'use', 'use', 'throw', 'drop', 'closeUnused', 'failToOpen'),
    inside: depth === 0 ? fc.constant([]) : fc.array(stepOf(depth - 1), { maxLength: 3 }),
  });

test('what is used is open, the rest is within its bound', () => {
  fc.assert(
    fc.property(fc.array(stepOf(3), { maxLength: 40 }), (steps) => {
      const open = new Set<Thing>();
      const inUse: Thing[] = [];
      const cache = new UseCache<number, Thing>({
        weightMax: WEIGHT_MAX,
        weigh: ({ weight }) => weight,
        close: (thing) => {
          expect([thing.isOpen, inUse.includes(thing)]).toEqual([true, false]);
          thing.isOpen = false;
          open.delete(thing);
        },
      });
      const make = (key: number): Thing => {
        const thing = { key, weight: 1, isOpen: true };
        open.add(thing);
        return thing;
      };
      const run = ({ key, weight, what, inside }: Step): void => {
        const isUsed = inUse.some((thing) => thing.key === key);
        if (what === 'closeUnused') cache.closeUnused();
        else if (what === 'drop' && isUsed) expect(() => cache.drop(key)).toThrow(BugError);
        else if (what === 'drop') {
          cache.drop(key);
          expect([...open].some((thing) => thing.key === key)).toBe(false);
        } else if (what === 'failToOpen' && ![...open].some((thing) => thing.key === key)) {
          const fail = (): Thing => {
            throw new Error('refused');
          };
          expect(() => cache.use(key, fail, () => undefined)).toThrow('refused');
        } else {
          const use = (): void =>
            cache.use(
              key,
              () => make(key),
              (thing) => {
                inUse.push(thing);
                try {
                  for (const one of inside) run(one);
                  expect(inUse.every(({ isOpen }) => isOpen)).toBe(true);
                  thing.weight = weight;
                  if (what === 'throw') throw new Error('thrown');
                } finally {
                  inUse.pop();
                }
              },
            );
          if (what === 'throw') expect(use).toThrow('thrown');
          else use();
        }
        expect([...open].filter((thing) => thing.key === key).length).toBeLessThanOrEqual(1);
        expect(new Set(cache.values)).toEqual(open);
        const unused = [...open].filter((thing) => !inUse.includes(thing));
        if (inUse.length === 0)
          expect(unused.reduce((sum, thing) => sum + thing.weight, 0)).toBeLessThanOrEqual(WEIGHT_MAX);
      };
      for (const one of steps) run(one);
      cache.closeUnused();
      expect(open.size).toBe(0);
    }),
  );
});

test('what was used last is closed last', () => {
  const closed: number[] = [];
  const cache = new UseCache<number, number>({ weightMax: 3, weigh: () => 1, close: (value) => closed.push(value) });
  for (const key of [1, 2, 3, 1, 4, 5])
    cache.use(
      key,
      () => key,
      () => undefined,
    );
  expect([closed, cache.values]).toEqual([
    [2, 3],
    [1, 4, 5],
  ]);
});
