// The catalog: the live parts of a partition, and which log files they contain. commitParts is the only commit point of
// the store: before it returns the new parts' files are garbage; afterwards the replaced parts and the log files up to
// flushedLogSeq are. Parts, their names and the losses of a merge change in one transaction, so the service list is
// never behind the data, and every loss is recorded.
import { Packr } from 'msgpackr';
import { assert } from '../base/assert.ts';
import { isStoreError, StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import {
  verifyEnvironment,
  writeStamp,
  type Environment,
  type IndexReader,
  type IndexTransaction,
} from './environment.ts';
import { formatHexId } from '../part/hex-id.ts';
import { isPartId, type PartId } from '../part/identity.ts';
import type { Tenant } from '../trace/tenant.ts';
import { HEAD_KEY, LOG_RANGE, logKey, LOSS_RANGE, PART_RANGE, partKey, seqOfLogKey, type KeyRange } from './keys.ts';
import { decodeLoss, putLosses, removeLosses, type Loss } from './losses.ts';
import { type NameSet, writeNames } from './names.ts';

/** One live part: what a query needs to know without opening it. */
export interface PartEntry {
  /** Also the name of its folder. Never reused. */
  readonly id: PartId;
  /** 1 for a flushed part; a merge's output is one above its highest input. */
  readonly level: number;
  readonly rows: number;
  readonly blocks: number;
  /** Total size of its files. */
  readonly sizeBytes: number;
  /** Smallest and greatest span start, ns since the epoch, both inclusive. */
  readonly minStartNs: bigint;
  readonly maxStartNs: bigint;
  /** Tenants of its spans: their answers lack spans if it is lost. Absent: too many, or an older program's entry. */
  readonly tenants?: readonly Tenant[];
  /** Ids of the parts it was merged from, for people reading a catalog; nothing depends on it. */
  readonly replaces?: readonly PartId[];
  /** Set when a merge of this part failed twice: the reason. Background merges then skip the part. */
  readonly parked?: string;
}

export interface CatalogState {
  /** By id, which says nothing about age. A folder in parts/ that is not listed was left by a crash: remove it. */
  readonly parts: readonly PartEntry[];
  /** Every log file with seq ≤ this is in parts and may be deleted. 0 at first, so log files are numbered from 1. */
  readonly flushedLogSeq: number;
  /**
   * Log files, ascending, with acknowledged spans that are in no part. A missing file was lost. Each file is listed
   * before the first acknowledgement for its spans.
   */
  readonly logSeqs: readonly number[];
  /** Grows by one with every commit: 0 for a new partition. */
  readonly generation: number;
}

export interface CatalogChange {
  readonly add: readonly PartEntry[];
  readonly remove: readonly PartId[];
  /** Parts that stay, with changed entries. */
  readonly update?: readonly PartEntry[];
  /** Set when `add` holds the contents of the log files up to it; never decreases. */
  readonly flushedLogSeq?: number;
  /** Names of the flushed spans, to merge in. A merge of parts has none. */
  readonly names?: NameSet;
  /** Spans of the inputs that could not be copied into `add`. */
  readonly losses?: readonly Loss[];
}

type Head = Omit<CatalogState, 'parts' | 'logSeqs'>;

// Maps with plain keys instead of msgpackr's records: any msgpack tool can read every entry.
const packr = new Packr({ useRecords: false, variableMapSize: true });

/** The catalog as of the last commit. Throws CORRUPTION. */
export function readCatalog(env: Environment): CatalogState {
  const parts: PartEntry[] = [];
  for (const { payload } of env.scan(PART_RANGE)) parts.push(decodePart(env.path, payload));
  const logSeqs = [...env.scan(LOG_RANGE)].map(({ key }) => seqOfLogKey(key));
  return { ...readHead(env, env.path), parts, logSeqs };
}

/**
 * The catalog of the environment at `path`; checks every page and opens nothing for writing. Throws CORRUPTION,
 * FORMAT_TOO_NEW, DISK.
 */
export function verifyCatalog(disk: Disk, path: string): CatalogState & { readonly losses: readonly Loss[] } {
  const parts: PartEntry[] = [];
  const logSeqs: number[] = [];
  const losses: Loss[] = [];
  let head: Uint8Array | undefined;
  verifyEnvironment(disk, path, ({ key, payload }) => {
    if (Buffer.compare(key, HEAD_KEY) === 0) head = Uint8Array.from(payload);
    if (isIn(key, PART_RANGE)) parts.push(decodePart(path, payload));
    if (isIn(key, LOG_RANGE)) logSeqs.push(seqOfLogKey(key));
    if (isIn(key, LOSS_RANGE)) losses.push(decodeLoss(payload));
  });
  return { ...decodeHead(head, path), parts, logSeqs, losses };
}

/**
 * Swaps parts and merges names in one transaction: on return it is durable, on a throw nothing has changed. The files
 * of `add` must be synced before; those of `remove` may be deleted afterwards. Returns the new generation. Throws DISK.
 * Removing an unknown part or adding a known one is a bug.
 */
export function commitParts(env: Environment, change: CatalogChange): number {
  return env.transaction('commit parts', (txn) => {
    const head = readHead(txn, env.path);
    for (const id of change.remove) assert(txn.remove(partKey(id)), `part ${id} is not in the catalog of ${env.path}`);
    for (const part of change.add) {
      assert(!txn.has(partKey(part.id)), `part ${part.id} is already in the catalog of ${env.path}`);
      txn.put(partKey(part.id), packr.pack(checkedPart(part)));
    }
    for (const part of change.update ?? []) {
      assert(txn.has(partKey(part.id)), `part ${part.id} is not in the catalog of ${env.path}`);
      txn.put(partKey(part.id), packr.pack(checkedPart(part)));
    }
    const flushedLogSeq = change.flushedLogSeq ?? head.flushedLogSeq;
    assert(
      flushedLogSeq >= head.flushedLogSeq,
      `flushedLogSeq goes back from ${head.flushedLogSeq} to ${flushedLogSeq}`,
    );
    const logs = Array.from(txn.scan(LOG_RANGE), ({ key }) => key);
    for (const key of logs) if (seqOfLogKey(key) <= flushedLogSeq) txn.remove(key);
    if (change.names !== undefined) writeNames(txn, change.names);
    putLosses(txn, change.losses ?? []);
    const generation = head.generation + 1;
    writeStamp(txn);
    writeHead(txn, { flushedLogSeq, generation });
    return generation;
  });
}

/**
 * As commitParts, but a commit that failed and reached the disk nevertheless counts as done. Calls `onMissing` only if it is
 * certainly not there. Throws DISK.
 */
export function commitSurely(env: Environment, change: CatalogChange, onMissing: () => void): void {
  try {
    commitParts(env, change);
  } catch (error) {
    if (!isStoreError(error, 'DISK')) throw error;
    if (isCommitted(readCatalog(env), change)) return;
    onMissing();
    throw error;
  }
}

/**
 * Lists log files durably, so that their absence will be noticed. Delists the files in `gone`: they hold no
 * acknowledged span, or `losses` records the spans. Throws DISK.
 */
export function listLogs(
  env: Environment,
  change: { readonly add?: readonly number[]; readonly gone?: readonly number[]; readonly losses?: readonly Loss[] },
): void {
  const { add = [], gone = [], losses = [] } = change;
  if (add.length + gone.length + losses.length === 0) return;
  env.transaction('list logs', (txn) => {
    for (const seq of add) txn.put(logKey(seq), new Uint8Array(0));
    for (const seq of gone) txn.remove(logKey(seq));
    putLosses(txn, losses);
  });
}

/** Removes all recorded losses and the lost `parts`, which an earlier attempt may have removed already. Throws DISK. */
export function acceptLosses(env: Environment, parts: readonly PartId[]): void {
  env.transaction('accept losses', (txn) => {
    removeLosses(txn);
    for (const id of parts) txn.remove(partKey(id));
  });
}

/** Whether `catalog` is a state after `change`. Part ids are never reused, so it cannot be another change. */
export function isCommitted(catalog: CatalogState, change: CatalogChange): boolean {
  const ids = new Set(catalog.parts.map((part) => part.id));
  const hasParts = change.add.every((part) => ids.has(part.id)) && !change.remove.some((id) => ids.has(id));
  const parked = new Map(catalog.parts.map((part) => [part.id, part.parked]));
  if (!(change.update ?? []).every((part) => parked.get(part.id) === part.parked)) return false;
  return hasParts && catalog.flushedLogSeq >= (change.flushedLogSeq ?? 0);
}

function isIn(key: Uint8Array, { start, end }: KeyRange): boolean {
  return Buffer.compare(key, start) >= 0 && Buffer.compare(key, end) < 0;
}

function readHead(index: IndexReader, path: string): Head {
  return decodeHead(index.find(HEAD_KEY), path);
}

function decodeHead(payload: Uint8Array | undefined, path: string): Head {
  if (payload === undefined) return { flushedLogSeq: 0, generation: 0 };
  const fields = unpackFields(path, payload);
  return {
    flushedLogSeq: countOf(path, fields, 'flushedLogSeq'),
    generation: countOf(path, fields, 'generation'),
  };
}

function writeHead(txn: IndexTransaction, head: Head): void {
  txn.put(HEAD_KEY, packr.pack(head));
}

function checkedPart(part: PartEntry): PartEntry {
  for (const count of [part.level, part.rows, part.blocks, part.sizeBytes]) {
    assert(Number.isSafeInteger(count) && count >= 0, `part ${part.id} has a count of ${count}`);
  }
  assert(part.minStartNs >= 0n && part.minStartNs <= part.maxStartNs, `part ${part.id} ends before it starts`);
  return part;
}

function decodePart(path: string, payload: Uint8Array): PartEntry {
  const fields = unpackFields(path, payload);
  const replaces = fields['replaces'];
  const tenants = fields['tenants'];
  if (replaces !== undefined && !Array.isArray(replaces)) throw malformed(path, 'replaces');
  return {
    id: partIdOf(path, fields['id']),
    level: countOf(path, fields, 'level'),
    rows: countOf(path, fields, 'rows'),
    blocks: countOf(path, fields, 'blocks'),
    sizeBytes: countOf(path, fields, 'sizeBytes'),
    minStartNs: bigintOf(path, fields, 'minStartNs'),
    maxStartNs: bigintOf(path, fields, 'maxStartNs'),
    ...(Array.isArray(tenants) ? { tenants: tenants as Tenant[] } : {}),
    ...(replaces === undefined ? {} : { replaces: replaces.map((id) => partIdOf(path, id)) }),
    ...(typeof fields['parked'] === 'string' ? { parked: fields['parked'] } : {}),
  };
}

/** Part ids were numbers in index format 1. */
function partIdOf(path: string, value: unknown): PartId {
  const id = typeof value === 'number' ? formatHexId(value) : value;
  if (typeof id !== 'string' || !isPartId(id)) throw malformed(path, 'a part id');
  return id;
}

function unpackFields(path: string, payload: Uint8Array): Record<string, unknown> {
  let fields: unknown;
  try {
    fields = packr.unpack(payload);
  } catch (error) {
    throw malformed(path, 'an entry', error);
  }
  if (typeof fields !== 'object' || fields === null) throw malformed(path, 'an entry');
  return fields as Record<string, unknown>;
}

function countOf(path: string, fields: Record<string, unknown>, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed(path, name);
  return value;
}

/** msgpack has one integer type: a small bigint comes back as a number. */
function bigintOf(path: string, fields: Record<string, unknown>, name: string): bigint {
  const value = fields[name];
  if (typeof value === 'bigint') return value;
  return BigInt(countOf(path, fields, name));
}

function malformed(path: string, what: string, cause?: unknown): StoreError {
  return new StoreError(
    'CORRUPTION',
    `${path}: catalog: ${what} is malformed; ` +
      'rebuild the index from the parts, or restore it from a snapshot or a replica',
    { cause },
  );
}
