// Strays: spans that an insert node gave to this node because another one, the first of their trace's ranking, refused them or did not
// answer (cluster/cluster-writer.ts). That one may have them, too, or others of their traces, so calls summed over nodes may be
// counted twice, or not at all. The index keeps the hours in which strays start, a bit for each of the day's 24, so that they
// go wherever the day goes.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { StartWindow } from '../trace/store.ts';
import type { Environment, IndexReader } from './environment.ts';
import { STRAYS_KEY } from './keys.ts';

export const DAY_HOURS = 24;
const HOUR_NS: number = DAY_NS / DAY_HOURS;
const BYTES = 4;

/** Bit h: strays start in hour h. Throws CORRUPTION. */
export function readStrayHours(index: IndexReader): number {
  const payload = index.find(STRAYS_KEY);
  if (payload === undefined) return 0;
  if (payload.length !== BYTES) throw new StoreError('CORRUPTION', `index: ${payload.length} bytes of stray hours`);
  return new DataView(payload.buffer, payload.byteOffset, BYTES).getUint32(0, true);
}

/** Makes the hours durable, in place of those that were there. Throws DISK. */
export function writeStrayHours(env: Environment, hours: number): void {
  assert(hours > 0 && hours < 2 ** DAY_HOURS, `stray hours ${hours}`);
  const payload = Buffer.alloc(BYTES);
  payload.writeUInt32LE(hours);
  env.transaction('note strays', (txn) => txn.put(STRAYS_KEY, payload));
}

/** The numbers of the hours. */
export function hoursOf(hours: number): number[] {
  return Array.from({ length: DAY_HOURS }, (_, hour) => hour).filter((hour) => ((hours >>> hour) & 1) === 1);
}

/** The hours of `day` that `window` touches; 0: none. */
export function hoursOfWindow({ startMinNs, startMaxNs }: StartWindow, day: number): number {
  assert(startMinNs <= startMaxNs, `a window from ${startMinNs} to ${startMaxNs}`);
  const dayNs = BigInt(day) * BigInt(DAY_NS);
  const first = Math.max(0, Math.floor(Number(startMinNs - dayNs) / HOUR_NS));
  const last = Math.min(DAY_HOURS - 1, Math.floor(Number(startMaxNs - dayNs) / HOUR_NS));
  return last < first ? 0 : 2 ** (last + 1) - 2 ** first;
}
