// The blocks of a view as a query sees them: parts and log blocks look the same here. Runs on any thread: it knows only
// paths, and the view keeps the files from being removed. A block that fails its checksum is skipped, counted and named in
// the answer's warnings; it never fails the query.
import { join } from 'node:path';
import { isStoreError } from '../base/errors.ts';
import type { BlockReader } from '../block/block-reader.ts';
import type { FuseFilter } from '../codec/fuse-filter.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { ReadFile } from '../disk/disk.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import { decodeArchivedTrace } from '../archive/archived-trace.ts';
import { LOG_FORMAT } from '../part/format-version.ts';
import type { LentPart } from '../part/counted-spans.ts';
import type { Identity } from '../part/identity.ts';
import type { PartBlock } from '../part/part-metadata.ts';
import { openBlocks, withPlace, type BlockRange, type PartReader } from '../part/part-reader.ts';
import { hoursOf } from '../index/strays.ts';
import { DATA_FILE } from '../part/part-writer.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import { ScannedPart } from '../part/scan-part.ts';
import {
  narrowView,
  type PartitionView,
  type ViewFilter,
  type ViewLogBlock,
  type ViewPart,
} from '../partition/view.ts';
import { formatTraceId } from '../trace/ids.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { CallCache } from './call-cache.ts';
import { NewestBlocks } from './newest-blocks.ts';
import type { PartCache } from './part-cache.ts';
import type { OutlinedBlock } from './prune-blocks.ts';
import { newWork, type QueryWork } from './query-work.ts';
import { UseCache } from './use-cache.ts';

/** What a query needs of a view: plain data, cloneable to another thread. All its blocks belong to the tenant. */
export interface ViewFiles {
  readonly partitions: readonly PartitionView[];
  /** The files of the requested traces that are archived. */
  readonly archived?: readonly { readonly traceId: Uint8Array; readonly path: string }[];
}

export interface PlaceInPart {
  readonly part: Identity;
  /** Number of the block in the part. */
  readonly block: number;
}

/** A block that may match, judged without reading it. */
export interface CandidateBlock {
  readonly day: number;
  /** ns since the day's midnight. */
  readonly startMin: number;
  readonly startMax: number;
  readonly durationMin: number;
  readonly durationMax: number;
  /** The part's filter for the block, if it has one. */
  filter(): FuseFilter | undefined;
  /** The part's outlines of the block, if it has them. */
  outlined(): OutlinedBlock | undefined;
  /** Where it lies in a part; undefined: in the log. */
  readonly place: PlaceInPart | undefined;
  /** Runs `work` on the block; undefined, with a warning, if data that `work` reads is damaged. */
  read<T>(work: (block: BlockReader) => T): T | undefined;
}

function unknown(): undefined {
  return undefined;
}

/** Lines of an answer's warnings; one last line counts further damage. */
const WARNINGS_MAX = 100;

/** Damaged blocks that one query reports; the next query reports further ones. */
const DAMAGED_MAX = 16;

/** Log files that one query holds open at a time. */
const OPEN_LOGS_MAX = 16;

interface BlockPlace {
  /** Unique to the block. */
  readonly key: () => string;
  readonly path: string;
  readonly range: BlockRange;
  /** Runs `work` on the file, which stays open until `work` returns. */
  readonly useFile: <T>(work: (file: ReadFile) => T) => T;
}

/** A block in the table of its part. */
interface NumberedBlock {
  readonly number: number;
  readonly block: PartBlock;
}

export class BlockSource implements Disposable {
  readonly #cache: PartCache;
  readonly #view: ViewFiles;
  readonly tenant: Tenant;
  /** Used by this query only: the file that is being written grows, and an open file keeps the size at its opening. */
  readonly #logs = new UseCache<Identity, ReadFile>({
    weightMax: OPEN_LOGS_MAX,
    weigh: () => 1,
    close: (file) => file.close(),
  });
  readonly #warnings = new Set<string>();
  readonly #notes: string[] = [];
  readonly #damaged = new Map<string, DamagedPlace>();
  readonly work: QueryWork;

  /** Counts the cost of reading on `work`. */
  constructor(cache: PartCache, view: ViewFiles, tenant: Tenant, work: QueryWork = newWork(view)) {
    this.#cache = cache;
    this.#view = view;
    this.tenant = tenant;
    this.work = work;
    for (const { losses = [] } of view.partitions) for (const loss of losses) this.#warnings.add(loss);
  }

  /** One line per block or part that could not be read, even if it was requested several times. */
  warnings(): string[] {
    const lines = [...this.#warnings];
    if (lines.length <= WARNINGS_MAX) return lines;
    return [...lines.slice(0, WARNINGS_MAX), `${lines.length - WARNINGS_MAX} more blocks or parts could not be read`];
  }

  /** One line for each reason why the answer may be wrong although nothing is damaged. */
  notes(): string[] {
    return [...this.#notes];
  }

  /** The first damaged blocks that were found, at most as many as the engine should quarantine at a time. */
  damaged(): DamagedPlace[] {
    return [...this.#damaged.values()];
  }

  /** Some day of the view has lost data. */
  get hasLosses(): boolean {
    return this.#view.partitions.some(({ losses = [] }) => losses.length > 0);
  }

  /** Hours with strays (index/strays.ts), by day. */
  get strayHours(): { readonly day: number; readonly hours: readonly number[] }[] {
    return this.#view.partitions.map(({ day, strayHours = 0 }) => ({ day, hours: hoursOf(strayHours) }));
  }

  /** The trace was in the archive when the view was taken, and the view was taken for it. */
  isArchived(traceId: Uint8Array): boolean {
    return (this.#view.archived ?? []).some((archived) => Buffer.compare(archived.traceId, traceId) === 0);
  }

  /** Columns of log blocks, kept between queries. */
  get calls(): CallCache {
    return this.#cache.calls;
  }

  /** Every block of the tenant; only those of `day` if it is given. */
  blocks(day?: number): CandidateBlock[] {
    const { partitions } = this.#view;
    const newest = this.#newest(
      day === undefined ? partitions : partitions.filter((partition) => partition.day === day),
    );
    const out: CandidateBlock[] = [];
    for (let block = newest.next(); block !== undefined; block = newest.next()) out.push(block);
    return out;
  }

  /**
   * The tenant's blocks that may have spans in `window`, latest start first. A part is opened only when one of its blocks may
   * be next.
   */
  newestFirst(window: ViewFilter = {}): NewestBlocks<CandidateBlock> {
    return this.#newest(narrowView(this.#view.partitions, this.tenant, window));
  }

  #newest(partitions: readonly PartitionView[]): NewestBlocks<CandidateBlock> {
    this.#cache.makeRoom();
    return new NewestBlocks(partitions, {
      openPart: (day, place) => {
        const blocks = this.#usePart(place, (part) => this.#ownBlocks(part)) ?? [];
        this.work.blocks += blocks.length;
        return blocks.map(({ number, block }) => {
          return { startMax: block.startMax, take: () => this.#partBlock(day, place, { number, block }) };
        });
      },
      openLog: (day, places) => {
        this.work.blocks += places.length;
        this.work.logBlocks += places.length;
        return places.map((place) => ({ startMax: place.startMax, take: () => this.#logBlock(day, place) }));
      },
      passPart: (place) => (this.work.blocks += place.blocks),
    });
  }

  #ownBlocks({ metadata }: PartReader): NumberedBlock[] {
    const own: NumberedBlock[] = [];
    metadata.blocks.forEach((block, number) => {
      if (block.tenant === this.tenant) own.push({ number, block });
    });
    return own;
  }

  /**
   * Day by day, the parts, and the blocks that are not in a part. undefined: a part cannot be opened. `check` is called before
   * each part, and may throw.
   */
  days(
    check: () => void,
  ): { readonly day: number; readonly parts: LentPart[] | undefined; readonly logBlocks: CandidateBlock[] }[] {
    return this.#view.partitions.map(({ day, parts: places, logBlocks: logPlaces }) => {
      const logBlocks = logPlaces.map((place) => this.#logBlock(day, place));
      const parts = places.filter((place) => {
        check();
        return this.#usePart(place, () => true) === true;
      });
      const lent = parts.map((place): LentPart => ({ use: (work) => this.#cache.use(place, work) }));
      return { day, parts: parts.length === places.length ? lent : undefined, logBlocks };
    });
  }

  /** The blocks of the tenant that may hold one of the traces (16 bytes each). */
  blocksOfTraces(traceIds: readonly Uint8Array[]): CandidateBlock[] {
    const out: CandidateBlock[] = [];
    for (const { day, parts, logBlocks } of this.#view.partitions) {
      for (const place of parts) {
        const found = this.#usePart(place, (part) => {
          const numbers = new Set(traceIds.flatMap((traceId) => part.findTrace(traceId)));
          return this.#ownBlocks(part).filter(({ number }) => numbers.has(number));
        });
        for (const block of found ?? []) out.push(this.#partBlock(day, place, block));
      }
      for (const place of logBlocks) out.push(this.#logBlock(day, place));
    }
    return out;
  }

  /** TracesData of the traces that are archived. A file that was deleted meanwhile does not count as damage. */
  archivedTraces(traceIds: readonly Uint8Array[]): Uint8Array[] {
    const { disk } = this.#cache;
    const wanted = new Set(traceIds.map(formatTraceId));
    return (this.#view.archived ?? []).flatMap(({ traceId, path }) => {
      if (!wanted.has(formatTraceId(traceId)) || disk.stat(path) === undefined) return [];
      return this.#guard(() => [decodeArchivedTrace(readWholeFile(disk, path), path).trace.otlp]) ?? [];
    });
  }

  /** Runs `work` on the part; undefined, with a warning, if it cannot be opened. */
  #usePart<T>(place: ViewPart, work: (part: PartReader) => T): T | undefined {
    return this.#guard(() =>
      this.#cache.use(place, (part) => {
        if (part instanceof ScannedPart) this.#warnOfScanned(part);
        return work(part);
      }),
    );
  }

  #warnOfScanned(part: ScannedPart): void {
    this.#warnings.add(part.fault);
    for (const range of part.lost) {
      this.#warnings.add(range.message);
      this.#addDamaged(range.path, range, range.message);
    }
  }

  /** The part may be closed before the block is read; then it is opened again. */
  #partBlock(day: number, place: ViewPart, { number, block }: NumberedBlock): CandidateBlock {
    const { startMin, startMax, durationMin, durationMax } = block;
    const filter = (): FuseFilter | undefined =>
      this.#guard(() => this.#cache.use(place, (part) => part.filter(number)));
    const outlined = (): OutlinedBlock | undefined => {
      const outlines = this.#guard(() => this.#cache.use(place, (part) => part.outlines()));
      return outlines === undefined ? undefined : { outlines, block: number };
    };
    const read = this.#readerOf({
      key: () => `${place.identity} ${number}`,
      path: join(place.path, DATA_FILE),
      range: block,
      useFile: (work) => this.#cache.use(place, (part) => work(part.dataFile())),
    });
    const inPart = { part: place.identity, block: number };
    return { day, startMin, startMax, durationMin, durationMax, filter, outlined, place: inPart, read };
  }

  #logBlock(day: number, place: ViewLogBlock): CandidateBlock {
    const { identity, path, offset, startMin, startMax } = place;
    const openLog = (): ReadFile => openBlocks(this.#cache.disk, path, LOG_FORMAT);
    const read = this.#readerOf({
      key: () => `${identity} ${offset}`,
      path,
      range: place,
      useFile: (work) => this.#logs.use(identity, openLog, work),
    });
    const [durationMin, durationMax] = [-Infinity, Infinity];
    const range = { startMin, startMax, durationMin, durationMax };
    return { day, ...range, filter: unknown, outlined: unknown, place: undefined, read };
  }

  #readerOf({ key, path, range, useFile }: BlockPlace): CandidateBlock['read'] {
    return (work) =>
      this.#guard(() => {
        const startMs = performance.now();
        try {
          return useFile((file) =>
            withPlace(path, range, () =>
              this.#cache.blocks.use(key(), { file, range }, (block) => work(block.charge(this.work))),
            ),
          );
        } catch (error) {
          if (isStoreError(error, 'CORRUPTION')) this.#addDamaged(path, range, error.message);
          throw error;
        } finally {
          this.work.times.readMs += performance.now() - startMs;
        }
      });
  }

  #addDamaged(path: string, { offset, sizeBytes }: BlockRange, message: string): void {
    if (this.#damaged.size < DAMAGED_MAX) this.#damaged.set(`${path} ${offset}`, { path, offset, sizeBytes, message });
  }

  /** Rethrows a shortage (open files, memory): the data is intact, and the next query may be able to read it. */
  #guard<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.warn(error.message);
      return undefined;
    }
  }

  /** Adds a line to warnings(). */
  warn(message: string): void {
    this.#warnings.add(message);
  }

  /** Adds a line to notes(). */
  note(message: string): void {
    this.#notes.push(message);
  }

  [Symbol.dispose](): void {
    this.#logs.closeUnused();
  }
}
