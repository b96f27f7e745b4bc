// What a partition has lost and no operator has accepted yet: blocks, parts and log files whose spans are gone. Every answer
// that could have held something of them says so, also after a restart, so they stand in the index and change in the
// catalog's transactions. Bounded: what is lost beyond the bound is one record that covers the whole day.
import { Packr } from 'msgpackr';
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { IndexReader, IndexTransaction } from './environment.ts';
import { LOSS_RANGE, lossKey } from './keys.ts';

export interface Loss {
  /** What was lost, inside the partition's folder: `parts/<id>`, `log/<seq>.log`, a file and the byte of a block. Unique. */
  readonly place: string;
  /** undefined: it may have held spans of any tenant. */
  readonly tenants?: readonly Tenant[];
  /** Span starts, ns since the day's midnight, inclusive. */
  readonly startMin: number;
  readonly startMax: number;
  /** Spans; undefined: nobody knows. */
  readonly rows?: number;
  /** Services and operations that only it had are missing from the lists of names. */
  readonly costsNames: boolean;
  /** What happened, for people. */
  readonly message: string;
}

/** What may have held anything of its day. */
export const WHOLE_DAY: Pick<Loss, 'startMin' | 'startMax'> = { startMin: 0, startMax: DAY_NS - 1 };

/** Records of one partition; some 200 bytes each, all of them in memory. */
export const LOSSES_MAX = 1_000;
export const BEYOND: Loss = {
  place: 'more',
  ...WHOLE_DAY,
  costsNames: true,
  message: `more than ${LOSSES_MAX} blocks, parts and log files of this day are lost`,
};

const packr = new Packr({ useRecords: false, variableMapSize: true });

/** All of them, in no order that means anything. Throws CORRUPTION. */
export function readLosses(index: IndexReader): Loss[] {
  return [...index.scan(LOSS_RANGE)].map(({ payload }) => decodeLoss(payload));
}

/** Adds `losses`; one that is known by its place is known already. */
export function putLosses(txn: IndexTransaction, losses: readonly Loss[]): void {
  let count = losses.length === 0 ? 0 : [...txn.scan(LOSS_RANGE)].length;
  for (const loss of losses) {
    assert(loss.place !== '' && loss.startMin <= loss.startMax, `a loss at '${loss.place}' that ends before it starts`);
    const kept = count < LOSSES_MAX ? loss : BEYOND;
    if (txn.has(lossKey(kept.place))) continue;
    txn.put(lossKey(kept.place), packr.pack(kept));
    count++;
  }
}

/** Forgets all of them. */
export function removeLosses(txn: IndexTransaction): void {
  const keys = Array.from(txn.scan(LOSS_RANGE), ({ key }) => key);
  for (const key of keys) txn.remove(key);
}

/** Whether spans of `tenant` that started in the window (ns since the day's midnight) may be among what was lost. */
export function mayConcern(loss: Loss, tenant: Tenant, window: { startMin: number; startMax: number }): boolean {
  const isInTime = loss.startMax >= window.startMin && loss.startMin <= window.startMax;
  return isInTime && (loss.tenants === undefined || loss.tenants.includes(tenant));
}

/** Throws CORRUPTION. */
export function decodeLoss(payload: Uint8Array): Loss {
  try {
    const loss = packr.unpack(payload) as Loss;
    if (typeof loss.place === 'string' && typeof loss.message === 'string') return loss;
  } catch (cause) {
    throw malformed(cause);
  }
  throw malformed();
}

function malformed(cause?: unknown): StoreError {
  return new StoreError('CORRUPTION', 'index: a record of what was lost is malformed; rebuild the index', { cause });
}
