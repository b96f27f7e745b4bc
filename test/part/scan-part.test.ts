import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { BLOCK_ROWS_TARGET } from '../../src/part/merge-parts.ts';
import { openPart } from '../../src/part/part-reader.ts';
import { scanPart } from '../../src/part/scan-part.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { requestOf, traceIdOf } from '../storage/stored-spans.ts';

const ROWS = 2 * BLOCK_ROWS_TARGET + 600;

/** A part of three blocks. */
async function writePart(path: string): Promise<string> {
  const storage = openStore(path);
  await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: ROWS }));
  await storage.forceFlush();
  const view = storage.takeView(DEFAULT_TENANT, {});
  await storage.close();
  return view.partitions[0]!.parts[0]!.path;
}

describe('a part without readable metadata', () => {
  test('has the blocks its metadata would list, and any of them may hold any trace', async () => {
    using folder = new TemporaryFolder();
    const path = await writePart(folder.path);
    using part = openPart(nodeDisk, path);
    using scanned = scanPart(nodeDisk, path, 'metadata: damaged');
    expect(scanned.metadata.blocks).toEqual(
      part.metadata.blocks
        .map((block) => ({ ...block, filterBytes: 0 }))
        .map((block) => expect.objectContaining(block)),
    );
    expect(scanned.metadata).toMatchObject({ day: part.metadata.day, rowCount: ROWS });
    expect([scanned.fault, scanned.lost]).toEqual(['metadata: damaged', []]);
    expect(scanned.findTrace(traceIdOf(3))).toEqual([0, 1, 2]);
    expect([scanned.filter(0), scanned.outlines()]).toEqual([undefined, undefined]);
    expect(scanned.readBlock(1)).toEqual(part.readBlock(1));
  });

  test('says where no whole block was found: in the middle and behind a cut', async () => {
    using folder = new TemporaryFolder();
    const path = await writePart(folder.path);
    const { blocks } = openPart(nodeDisk, path).metadata;
    const data = join(path, 'data');
    const bytes = readFileSync(data);
    bytes[blocks[0]!.offset + 1_000]! ^= 1;
    writeFileSync(data, bytes);
    truncateSync(data, blocks[2]!.offset + 100);
    using scanned = scanPart(nodeDisk, path, `${data}: too short`);
    expect(scanned.metadata.blocks.map(({ offset }) => offset)).toEqual([blocks[1]!.offset]);
    expect(scanned.lost.map(({ path: file, offset, sizeBytes }) => [file, offset, sizeBytes])).toEqual([
      [data, blocks[0]!.offset, blocks[0]!.sizeBytes],
      [data, blocks[2]!.offset, 100],
    ]);
  });

  test('says so too when the cut lies between two blocks', async () => {
    using folder = new TemporaryFolder();
    const path = await writePart(folder.path);
    const { blocks } = openPart(nodeDisk, path).metadata;
    const data = join(path, 'data');
    truncateSync(data, blocks[2]!.offset);
    using scanned = scanPart(nodeDisk, path, `${data}: too short`);
    expect(scanned.metadata.blocks).toHaveLength(2);
    expect(scanned.lost).toEqual([
      { path: data, offset: blocks[2]!.offset, sizeBytes: 0, message: `${data}: too short` },
    ]);
  });
});
