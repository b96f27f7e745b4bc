// Rendezvous hashing: every insert agrees, shares are even, and a node that goes moves only its own traces.
import { expect, test } from 'vitest';
import { Placement } from '../../src/cluster/placement.ts';
import { createRandom } from '../support/random-request.ts';

const random = createRandom(11);
const ids = Array.from({ length: 4_000 }, () => Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256)));
const open = (count: number): Uint8Array => new Uint8Array(count).fill(1);

test('the order of the list means nothing, nor does a name that is listed twice', () => {
  const one = new Placement(['a', 'b', 'c']);
  const other = new Placement(['c', 'a', 'b', 'a']);
  expect(other.names).toEqual(one.names);
  for (const id of ids.slice(0, 100)) expect(other.ranking(id)).toEqual(one.ranking(id));
});

test('shares are even, also those of a node that is away', () => {
  const placement = new Placement(Array.from({ length: 8 }, (_, i) => `node-${i}`));
  const taken = (isOpen: Uint8Array): number[] => {
    const counts = placement.names.map(() => 0);
    for (const id of ids) counts[placement.first(id, 0, isOpen)]!++;
    return counts;
  };
  const all = taken(open(8));
  expect(Math.min(...all)).toBeGreaterThan(400);
  expect(Math.max(...all)).toBeLessThan(600);
  const away = taken(Uint8Array.from([0, 1, 1, 1, 1, 1, 1, 1]));
  expect(away[0]).toBe(0);
  for (let i = 1; i < 8; i++) expect(away[i]! - all[i]!).toBeGreaterThan(40);
});

test('a trace stays when another node comes or goes', () => {
  const three = new Placement(['a', 'b', 'c']);
  const four = new Placement(['a', 'b', 'c', 'd']);
  for (const id of ids) {
    const ranked = four.ranking(id);
    expect(three.ranking(id)).toEqual(ranked.filter((name) => name !== 'd'));
    expect(four.names[four.first(id, 0, open(4))]).toBe(ranked[0]);
  }
});

test('the first open one of the ranking takes it; none, if none is open', () => {
  const placement = new Placement(['a', 'b', 'c']);
  const [id] = ids;
  const [, second] = placement.ranking(id!);
  const isOpen = Uint8Array.from(placement.names, (name) => (name === placement.ranking(id!)[0] ? 0 : 1));
  expect(placement.names[placement.first(id!, 0, isOpen)]).toBe(second);
  expect(placement.first(id!, 0, new Uint8Array(3))).toBe(-1);
});

test('the scores are those of every version', () => {
  const placement = new Placement(['a', 'b', 'c']);
  const ranked = [1, 2, 3, 4, 5, 6].map((n) => placement.ranking(new Uint8Array(16).fill(n)).join(''));
  expect(ranked.join(' ')).toBe('abc acb cba bac acb cab');
});
