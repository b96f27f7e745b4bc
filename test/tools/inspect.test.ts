// inspect: the columns of a part add up to its bytes, and are named as their senders named them.
import { isFlush } from '../../src/part/merge-parts.ts';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { BlockReader } from '../../src/block/block-reader.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { openPart } from '../../src/part/part-reader.ts';
import { inlineMergeRunner, type MergeRunner } from '../../src/partition/merge-runner.ts';
import { inspectBlock } from '../../src/tools/inspect-block.ts';
import { runTool } from '../../src/tools/run-tool.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { NOON_NS, requestOf } from '../storage/stored-spans.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';

function inspect(...args: string[]): { code: number; out: string; err: string } {
  let out = '';
  let err = '';
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = runTool('inspect', args, { ...terminal, isInteractive: false }) as number;
  return { code, out, err };
}

/** The folder of the one part of a store with `bodies`. */
async function makePart(path: string, bodies: readonly Uint8Array[]): Promise<string> {
  const storage = openStore(path);
  for (const body of bodies) await storage.write(DEFAULT_TENANT, body.slice());
  await storage.forceMerge('');
  await storage.close();
  const parts = join(path, 'partitions/20261120/parts');
  return join(parts, readdirSync(parts)[0]!);
}

test('every byte of a block belongs to a column, and every column has a name and an encoding', async () => {
  using folder = new TemporaryFolder();
  const random = createRandom(printedSeed('inspect'));
  const bodies = Array.from({ length: 20 }, () => encodeRequest(randomRequest(random, NOON_NS)));
  const path = await makePart(folder.path, bodies);
  using part = openPart(nodeDisk, path);
  for (const [number, { sizeBytes }] of part.metadata.blocks.entries()) {
    const columns = inspectBlock(new BlockReader(part.readBlock(number)));
    const storedBytes = columns.reduce((sum, column) => sum + column.storedBytes, 0);
    expect(Math.abs(storedBytes - sizeBytes)).toBeLessThan(1e-6 * sizeBytes + 1e-6);
    const unknown = /^(column|code|codec|form|key|intrinsic) \d|undefined/;
    expect(
      columns.filter((column) => [column.name, column.encoding, column.codec].some((word) => unknown.test(word))),
    ).toEqual([]);
  }
});

test('the table names fields, encodings and bytes a span, and adds up to all files of the part', async () => {
  using folder = new TemporaryFolder();
  const path = await makePart(folder.path, [requestOf({ first: 0, count: 400 })]);
  const { code, out, err } = inspect(path);
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^block +tenant +spans +traces +bytes +bytes\/span/);
  expect(out).toMatch(/^0 +0:0 +400 +100 +\d+ +\d+\.\d\d +12:00:00\.000000000 +12:00:00\.399000000$/m);
  expect(out).toMatch(/^span n \(int\) +400 .* % +planes × 2/m);
  expect(out).toMatch(/^span ids +400 +3200 +3200 +8\.000/m);
  for (const name of ['traces', 'filters', 'rollups', 'metadata'])
    expect(out).toMatch(new RegExp(`^file ${name} `, 'm'));
  const total = Number(/^total +400 spans +\d+ +(\d+)/m.exec(out)?.[1]);
  const files = readdirSync(path).reduce((sum, name) => sum + nodeDisk.stat(join(path, name))!.sizeBytes, 0);
  // The 36 bytes in front of `data` belong to no column.
  expect(total).toBe(files - 36);
  expect(inspect('-blocks', path).out).toMatch(/^block 0\ncolumn /);
});

test('a key cannot write to the terminal', async () => {
  using folder = new TemporaryFolder();
  const key = `\x1b[2J${'k'.repeat(100)}`;
  const spans = [0, 1].map((n) => ({
    traceId: Uint8Array.from({ length: 16 }, () => n + 1),
    spanId: Uint8Array.from({ length: 8 }, () => n + 1),
    name: 'op',
    startTimeUnixNano: NOON_NS,
    endTimeUnixNano: NOON_NS,
    attributes: [{ key, value: { intValue: BigInt(n) } }],
  }));
  const path = await makePart(folder.path, [encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] })]);
  const { out } = inspect(path);
  expect(out).toMatch(/^span \ufffd\[2Jkkk/m);
  expect(out).not.toContain('\x1b');
});

test('a part that a merge died of twice is said to be parked', async () => {
  using folder = new TemporaryFolder();
  const inline = inlineMergeRunner(nodeDisk);
  const run: MergeRunner['run'] = async (job, options) => {
    if (!isFlush(job)) throw new StoreError('WORKER_FAILED', 'the thread died');
    return inline.run(job, options);
  };
  const storage = openStore(folder.path, { mergeRunner: { ...inline, run } });
  for (const first of [0, 4]) {
    await storage.write(DEFAULT_TENANT, requestOf({ first, count: 4 }));
    await storage.forceFlush();
  }
  const parts = join(folder.path, 'partitions/20261120/parts');
  const [part] = readdirSync(parts).map((name) => join(parts, name));
  expect(inspect(part!).out).not.toContain('parked');
  await expect(storage.forceMerge('')).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  expect(await storage.stats()).toMatchObject({
    parked: [{ partition: '20261120', reason: 'worker_failed', parts: 2 }],
  });
  await storage.close();
  expect(inspect(part!)).toMatchObject({ code: 0, out: expect.stringContaining('parked (worker_failed)') });
});

test('a damaged block is left out and said so; what is no part is refused', async () => {
  using folder = new TemporaryFolder();
  const path = await makePart(folder.path, [requestOf({ first: 0, count: 40 })]);
  const copy = join(folder.path, 'copy', basename(path));
  cpSync(path, copy, { recursive: true });
  const bytes = readFileSync(join(copy, 'data'));
  bytes[300]! ^= 1;
  writeFileSync(join(copy, 'data'), bytes);
  expect(inspect(copy)).toMatchObject({ code: 1, err: expect.stringContaining('damaged, left out') });
  expect(inspect(folder.path)).toMatchObject({ code: 1, err: expect.stringContaining('not a part') });
  expect(inspect()).toMatchObject({ code: 2 });
});
