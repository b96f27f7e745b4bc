// `tracelith inspect <part>`: prints the content of a part as tables: blocks with their bytes per span, then every column with
// its encodings and its share of the bytes, for all blocks or for each. It only reads, and a part never changes, so it is
// safe beside a running node.
import { basename, dirname, join, resolve } from 'node:path';
import { isStoreError, StoreError } from '../base/errors.ts';
import { BlockReader } from '../block/block-reader.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { verifyCatalog } from '../index/catalog.ts';
import type { PartBlock } from '../part/part-metadata.ts';
import { openPart } from '../part/part-reader.ts';
import { FILTERS_FILE, METADATA_FILE, ROLLUPS_FILE, TRACES_FILE } from '../part/part-writer.ts';
import { inspectBlock, type InspectedColumn } from './inspect-block.ts';
import { formatBytes } from './progress.ts';
import { EXIT_FAILED, EXIT_OK, type Terminal } from './terminal.ts';
import { isPartFolder } from './verify-partition.ts';

/** A column summed over blocks. */
interface ColumnSum {
  readonly name: string;
  readonly encodings: Map<string, number>;
  entries: number;
  rawBytes: number;
  storedBytes: number;
}

/** Prints the part in folder `path`; with `isByBlock`, a column table for each block too. Throws INVALID_REQUEST, CORRUPTION, DISK. */
export function inspect(path: string, isByBlock: boolean, terminal: Terminal): number {
  if (!isPartFolder(nodeDisk, resolve(path)))
    throw new StoreError(
      'INVALID_REQUEST',
      `${path}: not a part; give a folder such as partitions/20261120/parts/8f14e45fceea167a5a36dedd4bea2543`,
    );
  using part = openPart(nodeDisk, path);
  const { blocks, rowCount } = part.metadata;
  const total = new Map<string, ColumnSum>();
  const blockRows: string[][] = [];
  let damaged = 0;
  for (const [number, block] of blocks.entries()) {
    try {
      const columns = inspectBlock(new BlockReader(part.readBlock(number)));
      addColumns(total, columns);
      if (isByBlock) {
        const own = new Map<string, ColumnSum>();
        addColumns(own, columns);
        terminal.out(`block ${number}\n${columnTable(own, block.rowCount)}\n`);
      }
      blockRows.push(blockRow(number, block));
    } catch (error) {
      if (!isStoreError(error, 'CORRUPTION')) throw error;
      damaged++;
      terminal.err(`damaged, left out: ${error.message}\n`);
    }
  }
  for (const name of [TRACES_FILE, FILTERS_FILE, ROLLUPS_FILE, METADATA_FILE]) addFile(total, path, name);
  const head = ['block', 'tenant', 'spans', 'traces', 'bytes', 'bytes/span', 'first start', 'last start'];
  terminal.out(`${table(head, blockRows)}\n`);
  terminal.out(columnTable(total, rowCount));
  const parked = parkedReason(resolve(path));
  if (parked !== undefined)
    terminal.out(`\nparked (${parked}): no merge in the background takes it; force_merge does\n`);
  return damaged === 0 ? EXIT_OK : EXIT_FAILED;
}

/** The reason from the partition's index; undefined if not parked, if there is no index, or if a node is writing to it. */
function parkedReason(path: string): string | undefined {
  const index = join(dirname(dirname(path)), 'index');
  if (nodeDisk.stat(join(index, 'data.mdb')) === undefined) return undefined;
  try {
    return verifyCatalog(nodeDisk, index).parts.find(({ id }) => id === basename(path))?.parked;
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return undefined;
  }
}

function blockRow(number: number, block: PartBlock): string[] {
  const { tenant, rowCount, traceCount, sizeBytes, startMin, startMax } = block;
  const perSpan = (sizeBytes / rowCount).toFixed(2);
  return [number, tenant, rowCount, traceCount, sizeBytes, perSpan, timeOfDay(startMin), timeOfDay(startMax)].map(
    String,
  );
}

/** "12:00:00.123456789" */
function timeOfDay(ns: number): string {
  const seconds = Math.floor(ns / 1e9);
  return `${new Date(seconds * 1000).toISOString().slice(11, 19)}.${String(ns - seconds * 1e9).padStart(9, '0')}`;
}

function addColumns(sums: Map<string, ColumnSum>, columns: readonly InspectedColumn[]): void {
  for (const column of columns) {
    const sum = sumOf(sums, column.name);
    const encoding = [column.encoding, column.codec].filter((word) => word !== '' && word !== 'none').join(', ');
    sum.encodings.set(encoding, (sum.encodings.get(encoding) ?? 0) + 1);
    sum.entries += column.entries;
    sum.rawBytes += column.rawBytes;
    sum.storedBytes += column.storedBytes;
  }
}

/** The part's other files count in its bytes per span too. */
function addFile(sums: Map<string, ColumnSum>, path: string, name: string): void {
  const sizeBytes = nodeDisk.stat(join(path, name))?.sizeBytes ?? 0;
  const sum = sumOf(sums, `file ${name}`);
  sum.rawBytes += sizeBytes;
  sum.storedBytes += sizeBytes;
}

function sumOf(sums: Map<string, ColumnSum>, name: string): ColumnSum {
  let sum = sums.get(name);
  if (sum === undefined)
    sums.set(name, (sum = { name, encodings: new Map(), entries: 0, rawBytes: 0, storedBytes: 0 }));
  return sum;
}

/** Largest first, with a total at the end. */
function columnTable(sums: ReadonlyMap<string, ColumnSum>, spans: number): string {
  const ordered = [...sums.values()].sort((a, b) => b.storedBytes - a.storedBytes);
  const all = { name: 'total', encodings: new Map<string, number>(), entries: 0, rawBytes: 0, storedBytes: 0 };
  for (const { rawBytes, storedBytes } of ordered) {
    all.rawBytes += rawBytes;
    all.storedBytes += storedBytes;
  }
  const row = (sum: ColumnSum): string[] => [
    sum.name,
    sum === all ? `${spans} spans` : String(sum.entries),
    String(sum.rawBytes),
    String(Math.round(sum.storedBytes)),
    (sum.storedBytes / spans).toFixed(3),
    `${((100 * sum.storedBytes) / all.storedBytes).toFixed(1)} %`,
    sum === all ? formatBytes(sum.storedBytes) : encodingsOf(sum),
  ];
  return table(
    ['column', 'entries', 'raw bytes', 'stored bytes', 'bytes/span', 'share', 'encodings'],
    [...ordered, all].map(row),
  );
}

/** The three most common, each with its number of blocks. */
function encodingsOf({ encodings }: ColumnSum): string {
  const ordered = [...encodings].filter(([name]) => name !== '').sort((a, b) => b[1] - a[1]);
  const shown = ordered.slice(0, 3).map(([name, count]) => (ordered.length === 1 ? name : `${name} (${count})`));
  return shown.join('; ') + (ordered.length > shown.length ? `; ${ordered.length - shown.length} more` : '');
}

/** Aligns text columns (first and last) left, numbers right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, i) => Math.max(...shown.map((row) => row[i]!.length)));
  const isLeft = (i: number): boolean => i === 0 || i === head.length - 1;
  return shown
    .map((row) => row.map((cell, i) => (isLeft(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** Keys come from senders, so control characters must not reach a terminal. */
function printable(text: string): string {
  const safe = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd');
  return safe.length <= 60 ? safe : `${safe.slice(0, 59)}…`;
}
