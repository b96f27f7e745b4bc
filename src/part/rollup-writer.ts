// Writes the `rollups` file of a part: ordered frames of series, then a directory of the frames, then the directory's
// offset. Full frames go to disk, so memory does not grow with the file. docs/format/part.md.
import { assert } from '../base/assert.ts';
import {
  bucketOfKey,
  minuteOfKey,
  numberOfKey,
  slotOfKey,
  type CallCounts,
  type CallNames,
} from '../block/call-counts.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { CODEC_ZSTD, compress } from '../bytes/compression.ts';
import type { CountTable } from '../bytes/count-table.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { Disk, WriteFile } from '../disk/disk.ts';
import { orClosed } from '../disk/give-up.ts';
import type { Tenant } from '../trace/tenant.ts';
import { encodeFileHeader, PART_ROLLUPS_FORMAT } from './format-version.ts';
import type { Identity } from './identity.ts';
import { BoundedSeries, type SeriesBounds } from './series-bounds.ts';
import { compareSeries, FrameWriter, HOUR_MINUTES, HourTotals, type SeriesKey } from './rollup-frame.ts';

/** What a series of the frame is. */
export const TABLE_CALLS = 0; // (service, operation, kind)
export const TABLE_EDGES = 1; // (caller, callee)

const DAY_HOURS = 24;
/** A frame ends above this size, so that a query for one service reads little else. */
const FRAME_BYTES_TARGET: number = 64 << 10;
/** Trailer: u64 offset of the directory, u32 CRC-32 of it. */
export const ROLLUP_TRAILER_SIZE = 12;

/** The tenant, table and hour of a frame. In a run, slices ascend by tenant (as text), table and hour. */
export interface Slice {
  readonly tenant: Tenant;
  readonly table: number;
  /** 0 to 23. */
  readonly hour: number;
}

export class RollupWriter {
  readonly #file: WriteFile;
  readonly #directory = new ByteWriter();
  readonly #frame = new FrameWriter();
  readonly #hour = new HourTotals();
  readonly #series: BoundedSeries;
  #frames = 0;
  #run = 0;
  #slice: Slice | undefined;

  /** Creates the file `path` of the part `identity`; finish() closes it. Throws DISK. */
  constructor(disk: Disk, path: string, identity: Identity, bounds?: SeriesBounds) {
    this.#series = new BoundedSeries((key, hour) => this.#writeSeries(key, hour), bounds);
    const header = encodeFileHeader(PART_ROLLUPS_FORMAT, identity);
    this.#file = orClosed(disk.createFile(path), (file) => file.write(header));
  }

  /** Begins a run of ordered series: readers treat each run as a file of its own. */
  beginRun(): void {
    this.#endSlice();
    this.#run++;
  }

  /** Sums up the rows of the next series. */
  get hour(): HourTotals {
    return this.#hour;
  }

  /** Writes the series summed up in `hour`; series of a run must come in order. */
  addSeries(slice: Slice, key: SeriesKey): void {
    const last = this.#slice;
    const isSame = last?.tenant === slice.tenant && last.table === slice.table && last.hour === slice.hour;
    if (!isSame) this.#endSlice();
    this.#slice = slice;
    this.#series.add(key, this.#hour);
  }

  #writeSeries(key: SeriesKey, hour: HourTotals): void {
    if (this.#frame.sizeBytes > FRAME_BYTES_TARGET) this.#endFrame();
    this.#frame.add(key, hour);
  }

  #endSlice(): void {
    if (this.#slice === undefined) return;
    this.#series.endSlice();
    this.#endFrame();
    this.#slice = undefined;
  }

  /** Writes all of `counts`, of one day, as a run. */
  addCounts(tenant: Tenant, counts: CallCounts, names: CallNames): void {
    this.beginRun();
    const keyOf = (series: number): SeriesKey => ({
      first: names.services.bytes(names.serviceOf(series)),
      second: names.operations.bytes(names.operationOf(series)),
      kind: names.kindOf(series),
    });
    this.#addTable({ tenant, table: TABLE_CALLS }, counts.nodes, { keyOf, buckets: bucketsBySlot(counts) });
    const edgeOf = (edge: number): SeriesKey => ({
      first: names.services.bytes(names.callerOf(edge)),
      second: names.services.bytes(names.calleeOf(edge)),
      kind: 0,
    });
    this.#addTable({ tenant, table: TABLE_EDGES }, counts.edges, { keyOf: edgeOf, buckets: undefined });
  }

  #addTable(
    place: { tenant: Tenant; table: number },
    rows: CountTable,
    source: { keyOf: (number: number) => SeriesKey; buckets: SlotBuckets | undefined },
  ): void {
    const { keys, ranks } = rankSeries(rows, source.keyOf);
    const series = keys.length;
    // Ordered by hour, then series; the slot in the lowest digits.
    const order = Float64Array.from({ length: rows.count }, (_, slot) => {
      const hour = Math.floor(minuteOfKey(rows.keys[slot]!) / HOUR_MINUTES) % DAY_HOURS;
      return (hour * series + ranks.get(numberOfKey(rows.keys[slot]!))!) * rows.count + slot;
    }).sort();
    for (let at = 0, end = 0; at < order.length; at = end) {
      const group = Math.floor(order[at]! / rows.count);
      for (; end < order.length && Math.floor(order[end]! / rows.count) === group; end++) {
        this.#addRow(rows, order[end]! % rows.count, source.buckets);
      }
      this.addSeries({ ...place, hour: Math.floor(group / series) }, keys[group % series]!);
    }
  }

  #addRow(rows: CountTable, slot: number, buckets: SlotBuckets | undefined): void {
    const minute = minuteOfKey(rows.keys[slot]!) % HOUR_MINUTES;
    this.#hour.addErrors(minute, rows.errors[slot]!);
    if (buckets === undefined) return this.#hour.addCount(minute, 0, rows.calls[slot]!);
    for (let at = buckets.starts[slot]!; at < buckets.starts[slot + 1]!; at++) {
      this.#hour.addCount(minute, buckets.buckets[at]!, buckets.counts[at]!);
    }
  }

  #endFrame(): void {
    const slice = this.#slice;
    if (slice === undefined || this.#frame.isEmpty) return;
    const raw = this.#frame.take();
    const { codec, stored } = compress(raw, { codec: CODEC_ZSTD, level: 3 });
    this.#file.write(stored);
    this.#frames++;
    const out = this.#directory;
    out.varint(this.#run);
    for (const number of slice.tenant.split(':')) out.u32(Number(number));
    out.u8(slice.table);
    out.u8(slice.hour);
    out.u8(codec);
    out.varint(raw.length);
    out.varint(stored.length);
    out.u32(crc32(stored));
  }

  /** Writes directory and trailer, syncs and closes the file. Returns its size in bytes. */
  finish(): number {
    this.#endSlice();
    const offset = this.#file.sizeBytes;
    const directory = new ByteWriter(this.#directory.length + 8);
    directory.varint(this.#frames);
    directory.raw(this.#directory.view());
    this.#file.write(directory.view());
    const trailer = new ByteWriter(ROLLUP_TRAILER_SIZE);
    trailer.u64(offset % 2 ** 32, Math.floor(offset / 2 ** 32));
    trailer.u32(crc32(directory.view()));
    assert(trailer.length === ROLLUP_TRAILER_SIZE, 'the trailer has a fixed size');
    this.#file.write(trailer.view());
    this.#file.sync();
    this.#file.close();
    return this.#file.sizeBytes;
  }

  /** Closes the file without finishing it. */
  abandon(): void {
    this.#file.close();
  }
}

/** The distinct series of the rows in order, and the rank of each row's series. */
function rankSeries(
  rows: CountTable,
  keyOf: (number: number) => SeriesKey,
): { keys: SeriesKey[]; ranks: Map<number, number> } {
  const numbers = new Set<number>();
  for (let slot = 0; slot < rows.count; slot++) numbers.add(numberOfKey(rows.keys[slot]!));
  const ordered = Array.from(numbers, (number) => ({ number, key: keyOf(number) }));
  ordered.sort((x, y) => compareSeries(x.key, y.key));
  return { keys: ordered.map(({ key }) => key), ranks: new Map(ordered.map(({ number }, rank) => [number, rank])) };
}

/** Histogram of each slot: buckets and counts [starts[slot], starts[slot + 1]). */
interface SlotBuckets {
  readonly starts: Uint32Array;
  readonly buckets: Uint16Array;
  readonly counts: Float64Array;
}

function bucketsBySlot({ nodes, buckets: table }: CallCounts): SlotBuckets {
  const starts = new Uint32Array(nodes.count + 1);
  for (let i = 0; i < table.count; i++) starts[slotOfKey(table.keys[i]!) + 1]!++;
  for (let slot = 0; slot < nodes.count; slot++) starts[slot + 1]! += starts[slot]!;
  const next = starts.slice();
  const buckets = new Uint16Array(table.count);
  const counts = new Float64Array(table.count);
  for (let i = 0; i < table.count; i++) {
    const to = next[slotOfKey(table.keys[i]!)]!++;
    buckets[to] = bucketOfKey(table.keys[i]!);
    counts[to] = table.calls[i]!;
  }
  return { starts, buckets, counts };
}
