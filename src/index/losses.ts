// The losses of a partition that no operator has accepted yet: blocks, parts and log files whose spans are gone. Every
// answer that could have contained such spans says so, also after a restart; so losses are stored in the index and
// change in the catalog's transactions. Bounded: beyond the bound, one record covers the whole day.
import { Packr } from 'msgpackr';
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { IndexReader, IndexTransaction } from './environment.ts';
import { LOSS_RANGE, lossKey } from './keys.ts';

export interface Loss {
  /** The lost part, log file or block in the partition: `parts/<id>`, `log/<seq>.log`, a file and byte. Unique. */
  readonly place: string;
  /** undefined: spans of any tenant may be lost. */
  readonly tenants?: readonly Tenant[];
  /** Span starts, ns since the day's midnight, inclusive. */
  readonly startMin: number;
  readonly startMax: number;
  /** Number of spans; undefined: unknown. */
  readonly rows?: number;
  /** True when the lists of names lack the services and operations that only the lost spans had. */
  readonly costsNames: boolean;
  /** What happened, for people. */
  readonly message: string;
}

/** A loss that may concern any span of its day. */
export const WHOLE_DAY: Pick<Loss, 'startMin' | 'startMax'> = { startMin: 0, startMax: DAY_NS - 1 };

/** Records of one partition at most; some 200 bytes each, all of them in memory. */
export const LOSSES_MAX = 1_000;
export const BEYOND: Loss = {
  place: 'more',
  ...WHOLE_DAY,
  costsNames: true,
  message: `more than ${LOSSES_MAX} blocks, parts and log files of this day are lost`,
};

const packr = new Packr({ useRecords: false, variableMapSize: true });

/** All losses, in no particular order. Throws CORRUPTION. */
export function readLosses(index: IndexReader): Loss[] {
  return [...index.scan(LOSS_RANGE)].map(({ payload }) => decodeLoss(payload));
}

/** Adds `losses`; a loss whose place is recorded is not added again. */
export function putLosses(txn: IndexTransaction, losses: readonly Loss[]): void {
  let count = losses.length === 0 ? 0 : [...txn.scan(LOSS_RANGE)].length;
  for (const loss of losses) {
    assert(loss.place !== '' && loss.startMin <= loss.startMax, `a loss at '${loss.place}' that ends before it starts`);
    if (txn.has(lossKey(loss.place))) continue;
    const kept = count < LOSSES_MAX ? loss : BEYOND;
    if (txn.has(lossKey(kept.place))) continue;
    txn.put(lossKey(kept.place), packr.pack(kept));
    count++;
  }
}

export function removeLosses(txn: IndexTransaction): void {
  const keys = Array.from(txn.scan(LOSS_RANGE), ({ key }) => key);
  for (const key of keys) txn.remove(key);
}

/** Whether the loss may include spans of `tenant` that started in the window (ns since the day's midnight). */
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
