// Finds the spans that were counted before: in parts by their trace lookups, or in blocks counted a moment ago.
import { isStoreError } from '../base/errors.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import { CallColumns } from '../block/call-columns.ts';
import type { CallNames } from '../block/call-counts.ts';
import type { CountedSpans, PieceVisitor } from '../block/count-calls.ts';
import type { TraceIndex } from '../block/trace-index.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { PartReader } from './part-reader.ts';
import { TraceProbes } from './trace-lookup.ts';

/** Lends a part, which is open until `work` returns. */
export interface LentPart {
  use<T>(work: (part: PartReader) => T): T;
}

/** The spans of one tenant in a list of parts. */
export class CountedParts implements CountedSpans {
  readonly #parts: readonly LentPart[];
  readonly #tenant: Tenant;
  readonly #check: () => void;
  #fault: string | undefined;

  /** `check` may throw; it is called before each lookup in a part and each read of a block. */
  constructor(parts: readonly LentPart[], tenant: Tenant, check: () => void = () => undefined) {
    this.#parts = parts.filter((lent) =>
      lent.use(({ metadata }) => metadata.blocks.some((block) => block.tenant === tenant)),
    );
    this.#tenant = tenant;
    this.#check = check;
  }

  /** The first failed read: some counted spans were not found and count again. undefined: the counts are exact. */
  get fault(): string | undefined {
    return this.#fault;
  }

  findPieces(traces: TraceIndex, names: CallNames, visit: PieceVisitor): void {
    if (this.#parts.length === 0) return;
    const probes = new TraceProbes(new Uint8Array(traces.ids.buffer, 0, 16 * traces.count));
    const visitPart = (part: PartReader): void => {
      this.#check();
      for (const block of part.findTraces(probes)) {
        if (part.metadata.blocks[block]!.tenant !== this.#tenant) continue;
        this.#check();
        visitPieces(traces, this.#columns(part, block, names), visit);
      }
    };
    for (const part of this.#parts) part.use(visitPart);
  }

  #columns(part: PartReader, block: number, names: CallNames): CallColumns | undefined {
    try {
      return new CallColumns(part.openBlock(block), names);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.#fault ??= error.message;
      return undefined;
    }
  }
}

/** Reads the columns of a block again; undefined when the block is damaged. */
export type ReadAgain = (names: CallNames) => CallColumns | undefined;

/** Counted blocks that can be read again. */
export class CountedBlocks implements CountedSpans {
  readonly #blocks: { readonly traceIds: Uint32Array; readonly readAgain: ReadAgain }[] = [];

  /** `readAgain` reads the block of `columns` again. */
  add(columns: CallColumns, readAgain: ReadAgain): void {
    this.#blocks.push({ traceIds: columns.traceIds, readAgain });
  }

  findPieces(traces: TraceIndex, names: CallNames, visit: PieceVisitor): void {
    for (const { traceIds, readAgain } of this.#blocks) {
      let hasOne = false;
      for (let at = 0; at < traceIds.length && !hasOne; at += 4) hasOne = traces.find(traceIds, at) >= 0;
      if (hasOne) visitPieces(traces, readAgain(names), visit);
    }
  }
}

/** Returns undefined for a damaged block, so its spans count as new. Readers that need the spans report the damage. */
export function readIntact(read: () => CallColumns): CallColumns | undefined {
  try {
    return read();
  } catch (error) {
    if (!isStoreError(error, 'CORRUPTION')) throw error;
    return undefined;
  }
}

function visitPieces(traces: TraceIndex, block: CallColumns | undefined, visit: PieceVisitor): void {
  if (block === undefined) return;
  for (let trace = 0; trace < block.traceCount; trace++) {
    const number = traces.find(block.traceIds, 4 * trace);
    if (number >= 0) visit(number, block, trace);
  }
}
