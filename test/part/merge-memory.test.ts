// A merge stays within its memory however many names, texts, traces and resources are in it, and what it writes answers
// as what it read. mergeParts itself asserts that it is within its memory before every block it reads.
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBlockHeader } from '../../src/block/block-header.ts';
import { BlockReader } from '../../src/block/block-reader.ts';
import { readBlockNames } from '../../src/block/read-names.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { FILE_HEADER_SIZE } from '../../src/part/format-version.ts';
import { mergeParts, type MergeJob, type MergeResult } from '../../src/part/merge-parts.ts';
import { isUnknown, mayBeNamed } from '../../src/part/outlines.ts';
import { openPart, type PartReader } from '../../src/part/part-reader.ts';
import { COLUMN_ORPHAN_PARENTS } from '../../src/block/block-columns.ts';
import { putTogether, takeApart } from '../block/loose-block.ts';
import { attribute, batchOf, blockOf, idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { blockSpans } from '../storage/stored-spans.ts';
import { DAY } from './made-blocks.ts';

/** The block without a column that counting calls does not read, and decoding its rows does. */
function withoutOrphans(block: Uint8Array): Uint8Array {
  const loose = takeApart(block);
  const columns = loose.columns.filter(({ code }) => code !== COLUMN_ORPHAN_PARENTS);
  expect(columns.length).toBe(loose.columns.length - 1);
  return putTogether({ ...loose, columns });
}

interface Cardinality {
  readonly blocks: number;
  readonly rows: number;
  readonly names: number;
  readonly nameBytes: number;
  readonly services: number;
  readonly traces: number;
}

const anyCardinality = fc.record({
  blocks: fc.integer({ min: 1, max: 12 }),
  rows: fc.integer({ min: 1, max: 150 }),
  names: fc.constantFrom(1, 30, 1_000_000),
  nameBytes: fc.constantFrom(8, 300, 4_000),
  services: fc.constantFrom(1, 5, 1_000_000),
  traces: fc.constantFrom(3, 1_000_000),
});

/** Block number `block` of spans with so many different names, services and traces. */
function madeBlock(block: number, { rows, names, nameBytes, services, traces }: Cardinality): Uint8Array {
  const byService = new Map<string, ReturnType<typeof span>[]>();
  for (let row = 0; row < rows; row++) {
    const n = block * rows + row;
    const service = `service-${n % services}`;
    const made = span(n + 1, {
      trace: 1 + (n % traces),
      name: `GET /user/${n % names} ${'x'.repeat(nameBytes)}`,
      startTimeUnixNano: NOON_NS + BigInt(n),
      parentSpanId: idOf(999_999_999, 8),
      attributes: [attribute('n', String(n))],
    });
    const spans = byService.get(service);
    if (spans === undefined) byService.set(service, [made]);
    else spans.push(made);
  }
  return blockOf(batchOf(...[...byService].map(([service, spans]) => requestOf(spans, service))), 'log');
}

/** Writes the blocks to a file of `folder` and merges them with so much memory. */
function merged(
  folder: string,
  blocks: readonly Uint8Array[],
  how: Pick<MergeJob, 'memoryBytes'> & { name: string },
): MergeResult & { path: string } {
  const file = nodeDisk.createFile(join(folder, `${how.name}.log`));
  file.write(new Uint8Array(16));
  const places = blocks.map((block) => {
    const { tenant, startMin, sizeBytes } = readBlockHeader(block);
    const offset = file.sizeBytes;
    file.write(block);
    return { offset, sizeBytes, tenant, startMin };
  });
  file.close();
  const path = join(folder, how.name);
  const result = mergeParts(nodeDisk, {
    inputs: [{ path: file.path, blocks: places }],
    partPath: path,
    day: DAY,
    origin: { logSeqMax: 1, partIds: [] },
    rollups: { kind: 'count', counted: [] },
    quarantinePath: folder,
    memoryBytes: how.memoryBytes,
  });
  return { ...result, path };
}

/** Every operation of every block is among what the part says the block may have. */
function checkOutlines(part: PartReader): void {
  const outlines = part.outlines()!;
  part.metadata.blocks.forEach((_, block) => {
    if (isUnknown(outlines, block)) return;
    const { starts, ids } = outlines.operationIds;
    const listed = Array.from(ids.subarray(starts[block], starts[block + 1]), (id) => outlines.operations[id]!);
    for (const { service, name } of readBlockNames(part.readBlock(block)).operations) {
      expect(listed.some((one) => one.service === service && mayBeNamed(one.name, name))).toBe(true);
    }
  });
}

test('a merge with little memory gives every span, and a part that leaves none out', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(anyCardinality, (cardinality) => {
      using folder = new TemporaryFolder();
      const blocks = Array.from({ length: cardinality.blocks }, (_, block) => madeBlock(block, cardinality));
      const { part, path } = merged(folder.path, blocks, { name: 'small', memoryBytes: 1 << 20 });
      using reader = openPart(nodeDisk, path);
      expect(reader.metadata).toEqual(part);
      const found = part!.blocks.flatMap((_, block) => blockSpans(reader.readBlock(block)));
      expect(found.sort()).toEqual(blocks.flatMap(blockSpans).sort());
      checkOutlines(reader);
      part!.blocks.forEach((_, block) => {
        const ids = new BlockReader(reader.readBlock(block)).traceIds();
        for (let at = 0; at < ids.length; at += 16) {
          expect(reader.findTrace(ids.subarray(at, at + 16))).toContain(block);
        }
        expect(reader.filter(block)).toBeDefined();
      });
      expect(nodeDisk.list(path)).toEqual(['data', 'filters', 'metadata', 'rollups', 'traces']);
      // The same inputs and the same memory: the same bytes, but for the new part's identity.
      const again = merged(folder.path, blocks, { name: 'again', memoryBytes: 1 << 20 });
      const { identity } = again.part!;
      expect({ ...part, identity }).toEqual(again.part);
      for (const name of ['data', 'filters', 'rollups', 'traces']) {
        const [x, y] = [path, again.path].map((one) => readFileSync(join(one, name)).subarray(FILE_HEADER_SIZE));
        expect(Buffer.compare(x!, y!), name).toBe(0);
      }
    }),
    { numRuns: 25 },
  );
});

test('a part does not list names that are as many as spans, and lists those that are not', () => {
  using folder = new TemporaryFolder();
  const cardinality = { blocks: 8, rows: 500, names: 1_000_000, nameBytes: 1_000, services: 2, traces: 1_000_000 };
  const ordinary = { ...cardinality, names: 3 };
  const blocks = Array.from({ length: 16 }, (_, block) => madeBlock(block, block < 7 ? cardinality : ordinary));
  const { path } = merged(folder.path, blocks, { name: 'small', memoryBytes: 16 << 20 });
  using part = openPart(nodeDisk, path);
  const { operations, operationIds } = part.outlines()!;
  expect(new Set(operations.filter(({ name }) => name === '').map(({ service }) => service))).toEqual(
    new Set(['service-0', 'service-1']),
  );
  const last = operationIds.ids.subarray(operationIds.starts.at(-2), operationIds.starts.at(-1));
  expect(Array.from(last, (id) => operations[id]!.name).every((name) => name.startsWith('GET /user/'))).toBe(true);
});

test('blocks that turn out to be damaged when their names were read leave none of them in memory', () => {
  using folder = new TemporaryFolder();
  const cardinality = { blocks: 12, rows: 150, names: 1_000_000, nameBytes: 4_000, services: 1, traces: 1_000_000 };
  const blocks = Array.from({ length: 12 }, (_, block) => withoutOrphans(madeBlock(block, cardinality)));
  const good = madeBlock(12, { ...cardinality, names: 3 });
  const { damaged, rowsRead } = merged(folder.path, [...blocks, good], {
    name: 'small',
    memoryBytes: 1 << 20,
  });
  expect([damaged.length, rowsRead]).toEqual([12, 150]);
});
