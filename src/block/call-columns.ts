// The columns of a block that are needed to count calls: ids, parents, times, and for each template its service,
// operation, kind and whether its status is ERROR. Decoding them costs a tenth of decoding the whole block.
import { StoreError } from '../base/errors.ts';
import { EMPTY_SPAN_NAME } from '../trace/service-name.ts';
import * as T from '../trace/templates.ts';
import * as C from './block-columns.ts';
import type { BlockReader } from './block-reader.ts';
import type { CallNames } from './call-counts.ts';
import type { GroupReader } from './group-reader.ts';
import { readServices } from './read-names.ts';
import type { StoredHeads } from './read-templates.ts';
import { readSectionRows } from './read-section.ts';
import { readTraceColumns } from './read-traces.ts';

export const STATUS_ERROR = 2;
const UNNAMED = Buffer.from(EMPTY_SPAN_NAME);

export class CallColumns {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  readonly traceCount: number;
  /** 4 words a trace, 2 words a row, 2 words a parent outside its trace in this block: ids in memory order. */
  readonly traceIds: Uint32Array;
  readonly spanIds: Uint32Array;
  readonly orphanIds: Uint32Array;
  /** As in TraceColumns, of the whole block. */
  readonly firsts: Uint32Array;
  readonly parents: Int32Array;
  readonly starts: Float64Array;
  readonly durations: Float64Array;
  /** Template of each row; service, series and "status is ERROR" of each template. */
  readonly rowTemplates: Float64Array;
  readonly services: Int32Array;
  readonly series: Int32Array;
  readonly isError: Uint8Array;
  #orphanRanks: Uint32Array | undefined;

  /** Throws CORRUPTION. */
  constructor(block: BlockReader, names: CallNames) {
    const { day, rowCount, traceCount } = block.header;
    this.day = day;
    this.traceCount = traceCount;
    this.traceIds = wordsOf([block.traceIds()]);
    this.firsts = new Uint32Array(traceCount + 1);
    this.parents = new Int32Array(rowCount);
    this.starts = new Float64Array(rowCount);
    this.durations = new Float64Array(rowCount);
    this.rowTemplates = new Float64Array(rowCount);
    const heads = block.templateHeads(C.SECTION_SPANS);
    let row = 0;
    for (const group of block.groups) {
      this.#readRows(group, row, heads.count);
      row += group.rowCount;
    }
    this.spanIds = wordsOf(block.groups.map((group) => group.fixed(C.COLUMN_SPAN_IDS, 8)));
    this.orphanIds = wordsOf(block.groups.map((group) => group.fixed(C.COLUMN_ORPHAN_PARENTS, 8)));
    if (this.spanIds.length !== 2 * rowCount) throw new StoreError('CORRUPTION', 'the span ids do not fit the rows');
    this.services = new Int32Array(heads.count);
    this.series = new Int32Array(heads.count);
    this.isError = new Uint8Array(heads.count);
    this.#readTemplates(block, heads, names);
  }

  /** Reads the rows of a group, the first of which is row `from` of the block. */
  #readRows(group: GroupReader, from: number, templateCount: number): void {
    const rows = readSectionRows(group, C.SECTION_SPANS, templateCount);
    const { firsts, parents, starts, durations } = readTraceColumns(group, rows);
    for (let trace = 0; trace < firsts.length; trace++) this.firsts[group.firstTrace + trace] = from + firsts[trace]!;
    for (let i = 0; i < parents.length; i++)
      this.parents[from + i] = parents[i]! < 0 ? parents[i]! : from + parents[i]!;
    this.starts.set(starts, from);
    this.durations.set(durations, from);
    this.rowTemplates.set(rows.rowTemplates, from);
  }

  #readTemplates(block: BlockReader, heads: StoredHeads, names: CallNames): void {
    const services = readServices(block).map((name) => {
      const bytes = Buffer.from(name);
      return names.services.intern(bytes, 0, bytes.length);
    });
    const { bytes: strings, a, b } = block.list(C.COLUMN_STRINGS);
    const operations = new Int32Array(a.length).fill(-1);
    const operationOf = (name: number): number => {
      if (!(name < a.length)) throw new StoreError('CORRUPTION', `dictionary entry ${name} of ${a.length}`);
      const known = operations[name]!;
      if (known >= 0) return known;
      const [bytes, start, size] = b[name] === 0 ? [UNNAMED, 0, UNNAMED.length] : [strings, a[name]!, b[name]!];
      return (operations[name] = names.operations.intern(bytes, start, start + size));
    };
    for (let id = 0; id < heads.count; id++) {
      const service = services[heads.head(id, T.SPAN_RESOURCE)];
      if (service === undefined) throw new StoreError('CORRUPTION', `no resource ${heads.head(id, T.SPAN_RESOURCE)}`);
      this.services[id] = service;
      const operation = operationOf(heads.head(id, T.SPAN_NAME));
      this.series[id] = names.seriesOf(service, operation, heads.head(id, T.SPAN_KIND));
      this.isError[id] = heads.head(id, T.SPAN_STATUS) === STATUS_ERROR ? 1 : 0;
    }
  }

  /** Number of orphans before `row`, which is the index of its parent id. Computed once, on first use. */
  orphanRank(row: number): number {
    return (this.#orphanRanks ??= rankOrphans(this.parents))[row]!;
  }
}

function rankOrphans(parents: Int32Array): Uint32Array {
  const ranks = new Uint32Array(parents.length);
  let orphans = 0;
  for (let row = 0; row < parents.length; row++) if (parents[row] === -2) ranks[row] = orphans++;
  return ranks;
}

/** Copies, because a column may begin at an unaligned byte. */
function wordsOf(pieces: readonly Uint8Array[]): Uint32Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let to = 0;
  for (const piece of pieces) {
    bytes.set(piece, to);
    to += piece.length;
  }
  return new Uint32Array(bytes.buffer);
}
