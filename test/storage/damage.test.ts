// P6: one bad byte costs at most one block. Bytes of every file of a store are damaged, and it opens all the same, with
// everything but that block, the damaged bytes in quarantine and a line in the report.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { encodeFileHeader, FILE_HEADER_SIZE, LOG_FORMAT } from '../../src/part/format-version.ts';
import { BLOCK_ROWS_TARGET } from '../../src/part/merge-parts.ts';
import { openPart } from '../../src/part/part-reader.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { spanSet } from '../support/span-set.ts';
import { Asker } from '../support/store-answers.ts';
import { openStore, TemporaryFolder } from './open-store.ts';
import { partitionPath, requestOf, storedRows, storedSpans, traceIdOf } from './stored-spans.ts';

const stored = (storage: Storage): string[] => storedSpans(storage, nodeDisk, DEFAULT_TENANT);
const rows = (storage: Storage): number => storedRows(storage, nodeDisk, DEFAULT_TENANT);
const bodies = [0, 1, 2, 3, 4].map((i) => requestOf({ first: 8 * i, count: 8 }));
const all = spanSet(bodies);
/** Three blocks of a part. */
const ROWS = 2 * BLOCK_ROWS_TARGET + 600;

/** Five blocks of 8 spans in one log file; the store is then gone without a flush. */
async function writeLog(path: string): Promise<{ file: string; blocks: { offset: number; sizeBytes: number }[] }> {
  const storage = openStore(path);
  for (const body of bodies) await storage.write(DEFAULT_TENANT, body.slice());
  const view = storage.takeView(DEFAULT_TENANT, {});
  storage.abandon();
  return { file: view.partitions[0]!.logBlocks[0]!.path, blocks: [...view.partitions[0]!.logBlocks] };
}

/** One part of three blocks. */
async function writePart(path: string): Promise<string> {
  const storage = openStore(path);
  await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: ROWS }));
  await storage.forceFlush();
  const view = storage.takeView(DEFAULT_TENANT, {});
  await storage.close();
  return view.partitions[0]!.parts[0]!.path;
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 0x40;
  writeFileSync(path, bytes);
}

const quarantined = (path: string): string[] => nodeDisk.list(join(path, 'quarantine'));

describe('a damaged log file', () => {
  test('costs the block with the damaged byte, wherever in the block that is', async () => {
    using folder = new TemporaryFolder();
    const { file, blocks } = await writeLog(folder.path);
    const intact = readFileSync(file);
    const second = blocks[1]!;
    const expected = spanSet([0, 2, 3, 4].map((i) => bodies[i]!));
    for (let at = 0; at < second.sizeBytes; at += 23) {
      writeFileSync(file, intact);
      flip(file, second.offset + at);
      const storage = openStore(folder.path);
      expect(stored(storage), `byte ${at}`).toEqual(expected);
      expect(storage.report.damaged).toHaveLength(1);
      expect((await storage.stats()).corruptBlocks).toBe(1);
      storage.abandon();
    }
    // Each of them once, with its note: their bytes differ.
    const place = `-${second.offset}`;
    const pieces = quarantined(folder.path).filter((name) => !name.endsWith('.txt'));
    expect(pieces).toHaveLength(Math.ceil(second.sizeBytes / 23));
    expect(pieces.filter((name) => !name.includes(place) || !quarantined(folder.path).includes(`${name}.txt`))).toEqual(
      [],
    );
  });

  test('loses nothing when its file header is damaged', async () => {
    using folder = new TemporaryFolder();
    const { file } = await writeLog(folder.path);
    flip(file, 3);
    const storage = openStore(folder.path);
    expect(stored(storage)).toEqual(all);
    expect(storage.report.damaged).toHaveLength(1);
    await storage.close();
  });

  test.each([
    ['and says what was acknowledged behind it', true],
    ['and takes the rest for torn where no marks tell', false],
  ])('that was cut off anywhere keeps the blocks before the cut, %s', async (_, hasMarks) => {
    using folder = new TemporaryFolder();
    const written = await writeLog(join(folder.path, 'intact'));
    const { blocks } = written;
    const sizeBytes = readFileSync(written.file).length;
    for (let size = 0; size < sizeBytes; size += 37) {
      using copy = new TemporaryFolder();
      cpSync(join(folder.path, 'intact'), copy.path, { recursive: true });
      const file = join(copy.path, relative(join(folder.path, 'intact'), written.file));
      nodeDisk.truncate(file, size);
      if (!hasMarks) rmSync(`${file}.acked`);
      const whole = blocks.filter(({ offset, sizeBytes }) => offset + sizeBytes <= size).length;
      const storage = openStore(copy.path);
      expect(stored(storage), `${size} bytes`).toEqual(spanSet(bodies.slice(0, whole)));
      // A file that was on record with spans and has none is missed in any case.
      const isMissed = hasMarks || whole === 0;
      expect(storage.report.damaged.length > 0, `${size} bytes`).toBe(isMissed);
      expect((await storage.stats()).losses > 0, `${size} bytes`).toBe(isMissed);
      expect(storage.listServices(DEFAULT_TENANT).warnings.length > 0).toBe(isMissed);
      const end = whole === 0 ? FILE_HEADER_SIZE : blocks[whole - 1]!.offset + blocks[whole - 1]!.sizeBytes;
      expect(storage.report.tornBytes).toBe(Math.max(0, size - end));
      storage.abandon();
    }
  });

  test('of a newer version is refused with FORMAT_TOO_NEW, not taken for damage', async () => {
    using folder = new TemporaryFolder();
    const { file } = await writeLog(folder.path);
    const bytes = readFileSync(file);
    bytes.set(encodeFileHeader({ ...LOG_FORMAT, version: LOG_FORMAT.version + 1 }, newIdentity()));
    writeFileSync(file, bytes);
    expect(() => openStore(folder.path)).toThrow(expect.objectContaining({ code: 'FORMAT_TOO_NEW' }));
    expect(readFileSync(file)).toEqual(bytes);
  });
});

test('a log file that is deleted beneath a running store does not stop the flush', async () => {
  using folder = new TemporaryFolder();
  const storage = openStore(folder.path);
  await storage.write(DEFAULT_TENANT, bodies[0]!.slice());
  const { path } = storage.takeView(DEFAULT_TENANT, {}).partitions[0]!.logBlocks[0]!;
  rmSync(path);
  await storage.forceFlush();
  await storage.write(DEFAULT_TENANT, bodies[1]!.slice());
  await storage.forceFlush();
  expect(stored(storage)).toEqual(spanSet([bodies[1]!]));
  expect(quarantined(folder.path).filter((file) => file.endsWith('.txt'))).toHaveLength(1);
  await storage.close();
});

describe('a damaged part', () => {
  test('loses one block to a byte in its data, which the next merge puts into quarantine', async () => {
    using folder = new TemporaryFolder();
    const path = await writePart(folder.path);
    const { blocks } = openPart(nodeDisk, path).metadata;
    expect(blocks.length).toBe(3);
    flip(join(path, 'data'), blocks[1]!.offset + 3_000);
    const storage = openStore(folder.path);
    using part = openPart(nodeDisk, path);
    expect(() => part.readBlock(1)).toThrow(
      expect.objectContaining({ code: 'CORRUPTION', message: expect.stringContaining(`byte ${blocks[1]!.offset}`) }),
    );
    await storage.forceMerge('');
    expect(rows(storage)).toBe(ROWS - blocks[1]!.rowCount);
    expect(await storage.stats()).toMatchObject({ corruptBlocks: 1, quarantinedFiles: 1, parts: 1 });
    await storage.close();
  });

  test('that a query meets damaged is put aside once and counted once, whoever meets it again', async () => {
    using folder = new TemporaryFolder();
    const path = await writePart(folder.path);
    const block = openPart(nodeDisk, path).metadata.blocks[1]!;
    flip(join(path, 'data'), block.offset + 3_000);
    const storage = openStore(folder.path);
    const place = { path: join(path, 'data'), offset: block.offset, sizeBytes: block.sizeBytes, message: 'why' };
    for (const places of [[place, place], [place], [{ ...place, path: '/etc/passwd' }]]) storage.reportDamage(places);
    const name = `partitions-20261120-parts-${basename(path)}-data-${block.offset}`;
    expect(quarantined(folder.path)).toEqual([name, `${name}.txt`]);
    const bytes = readFileSync(join(path, 'data')).subarray(block.offset, block.offset + block.sizeBytes);
    expect(readFileSync(join(folder.path, 'quarantine', name))).toEqual(bytes);
    expect(readFileSync(join(folder.path, 'quarantine', `${name}.txt`), 'utf8')).toBe('why\n');
    expect(await storage.stats()).toMatchObject({ corruptBlocks: 1, quarantinedFiles: 1 });
    await storage.forceMerge('');
    expect(rows(storage)).toBe(ROWS - block.rowCount);
    expect(await storage.stats()).toMatchObject({ corruptBlocks: 1, quarantinedFiles: 1 });
    await storage.close();
  });

  test.each(['metadata', 'traces', 'filters', 'rollups'])('loses nothing to a byte in its %s', async (name) => {
    using folder = new TemporaryFolder();
    const path = await writePart(folder.path);
    const size = readFileSync(join(path, name)).length;
    for (const at of [0, 9, 20, size >> 1, size - 1]) {
      flip(join(path, name), at);
      const storage = openStore(folder.path);
      expect(rows(storage), `byte ${at}`).toBe(ROWS);
      expect(storage.report.parts).toBe(1);
      const view = storage.takeView(DEFAULT_TENANT, { traceIds: [traceIdOf(3)] });
      const readPath = view.partitions[0]!.parts[0]!.path;
      using part = openPart(nodeDisk, readPath);
      expect(part.findTrace(traceIdOf(3)).length).toBeGreaterThan(0);
      await storage.close();
      if (readPath !== path) return;
      flip(join(path, name), at);
    }
  });

  test.each(['traces', 'filters', 'rollups', 'metadata'])(
    'whose %s is deleted beneath a running store loses nothing, and no flush or merge fails of it',
    async (name) => {
      using folder = new TemporaryFolder();
      const path = await writePart(folder.path);
      const storage = openStore(folder.path);
      rmSync(join(path, name));
      using asker = new Asker();
      const hex = Buffer.from(traceIdOf(3)).toString('hex');
      expect([...asker.traces(storage, DEFAULT_TENANT, [hex]).keys()]).toEqual([hex]);
      await storage.write(DEFAULT_TENANT, requestOf({ first: ROWS, count: 4 }));
      await storage.forceFlush();
      await storage.forceMerge('');
      expect(rows(storage)).toBe(ROWS + 4);
      await storage.close();
    },
  );

  test('whose data is deleted beneath a running store is named by every query that needs it, and noted', async () => {
    using folder = new TemporaryFolder();
    const path = await writePart(folder.path);
    const storage = openStore(folder.path);
    rmSync(join(path, 'data'));
    using asker = new Asker();
    const hex = Buffer.from(traceIdOf(3)).toString('hex');
    expect(asker.traces(storage, DEFAULT_TENANT, [hex]).size).toBe(0);
    expect([...asker.warnings].join()).toContain('data: missing');
    expect(quarantined(folder.path).filter((file) => file.endsWith('.txt'))).toHaveLength(1);
    expect(await storage.stats()).toMatchObject({ corruptBlocks: 1 });
    await storage.close();
  });

  test('whose data is cut off keeps the blocks before the cut', async () => {
    using folder = new TemporaryFolder();
    const path = await writePart(folder.path);
    const { blocks } = openPart(nodeDisk, path).metadata;
    const last = blocks.at(-1)!;
    nodeDisk.truncate(join(path, 'data'), last.offset + 100);
    const storage = openStore(folder.path);
    expect(rows(storage)).toBe(ROWS - last.rowCount);
    expect(storage.report.damaged).toHaveLength(1);
    await storage.close();
    const again = openStore(folder.path);
    expect(again.report).toMatchObject({ damaged: [], parts: 1 });
    await again.close();
  });

  test('that is gone altogether costs itself alone, and comes back with its folder', async () => {
    using folder = new TemporaryFolder();
    const path = await writePart(folder.path);
    nodeDisk.rename(path, join(folder.path, 'elsewhere'));
    const storage = openStore(folder.path);
    expect(rows(storage)).toBe(0);
    expect(storage.report.damaged).toHaveLength(1);
    await storage.write(DEFAULT_TENANT, requestOf({ first: ROWS, count: 4 }));
    await storage.forceMerge('');
    await storage.close();
    nodeDisk.rename(join(folder.path, 'elsewhere'), path);
    const again = openStore(folder.path);
    expect(again.report.damaged).toEqual([]);
    expect(rows(again)).toBe(ROWS + 4);
    await again.close();
  });
});

describe('a lost or damaged index', () => {
  async function writeMixed(path: string): Promise<void> {
    const storage = openStore(path);
    for (const body of bodies.slice(0, 4)) {
      await storage.write(DEFAULT_TENANT, body.slice());
      await storage.forceFlush();
    }
    await storage.forceMerge('');
    await storage.write(DEFAULT_TENANT, requestOf({ first: 100, count: 4, service: 'late' }));
    await storage.forceFlush();
    await storage.write(DEFAULT_TENANT, bodies[4]!.slice());
    storage.abandon();
  }
  const expected = spanSet([...bodies, requestOf({ first: 100, count: 4, service: 'late' })]);

  test.each([
    ['is missing', (index: string) => nodeDisk.remove(index)],
    ['has lost its file', (index: string) => nodeDisk.remove(join(index, 'data.mdb'))],
    ['is empty', (index: string) => writeFileSync(join(index, 'data.mdb'), '')],
    ['is noise', (index: string) => writeFileSync(join(index, 'data.mdb'), Buffer.alloc(65_536, 'noise'))],
  ])('that %s is rebuilt from the parts', async (_, damage) => {
    using folder = new TemporaryFolder();
    await writeMixed(folder.path);
    damage(join(partitionPath(folder.path), 'index'));
    const storage = openStore(folder.path);
    expect(stored(storage)).toEqual(expected);
    expect(storage.report).toMatchObject({ parts: 2, logRows: 8 });
    expect(storage.report.damaged).toHaveLength(1);
    expect(storage.listServices(DEFAULT_TENANT).items).toEqual(['late', 'shop']);
    expect(storage.listOperations(DEFAULT_TENANT, 'shop').items).toHaveLength(15);
    await storage.forceMerge('');
    expect(stored(storage)).toEqual(expected);
    await storage.close();
    const again = openStore(folder.path);
    expect(again.report).toMatchObject({ parts: 1, logRows: 0, damaged: [] });
    expect(stored(again)).toEqual(expected);
    await again.close();
  });
});
