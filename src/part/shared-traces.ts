// Finds the blocks that a merge must encode again: those with a trace that another input has too. Works on the trace lookups alone,
// a few pages of each at a time. Two traces with the same key count as one: a block is then encoded again for nothing.
import { StoreError } from '../base/errors.ts';
import type { LookupCursor } from './trace-lookup.ts';

/** A part of a merge: its trace lookup, and the place of each of its blocks in the merge's order. */
export interface PlacedLookup {
  readonly entries: LookupCursor;
  readonly places: Int32Array;
}

/**
 * For each place in the merge's order: the last place whose block has a trace of this one, if two inputs share that trace; else -1.
 * `tenants` numbers the tenant of each place: tenants share no traces. Throws CORRUPTION when a lookup is damaged.
 */
export function findReach(inputs: readonly PlacedLookup[], tenants: Int32Array): Int32Array {
  const reach = new Int32Array(tenants.length).fill(-1);
  let live = inputs.filter(({ entries }) => entries.next());
  const places: number[] = [];
  while (live.length > 1) {
    let key = Infinity;
    for (const { entries } of live) if (entries.key < key) key = entries.key;
    places.length = 0;
    let holders = 0;
    let hasEnded = false;
    for (const input of live) {
      if (input.entries.key !== key) continue;
      holders++;
      hasEnded = !takeKey(input, key, places) || hasEnded;
    }
    if (holders > 1) extendReach(reach, places, tenants);
    if (hasEnded) live = live.filter(({ entries }) => entries.key !== Infinity);
  }
  return reach;
}

/** Moves past the entries of `key`, adding the places of their blocks. At the end: returns false, and the key is Infinity. */
function takeKey({ entries, places }: PlacedLookup, key: number, into: number[]): boolean {
  do {
    const place = places[entries.block];
    if (place === undefined)
      throw new StoreError('CORRUPTION', `a trace lookup names block ${entries.block} of ${places.length}`);
    into.push(place);
    if (!entries.next()) {
      entries.key = Infinity;
      return false;
    }
  } while (entries.key === key);
  return true;
}

function extendReach(reach: Int32Array, places: readonly number[], tenants: Int32Array): void {
  for (const place of places) {
    for (const other of places) {
      if (other !== place && tenants[other] === tenants[place]) reach[place] = Math.max(reach[place]!, place, other);
    }
  }
}
