// A client that leaves gives its query thread back at once, however much the search would still have read.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '../../src/base/logger.ts';
import { encodeBlock } from '../../src/block/encode-block.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { TermSet } from '../../src/block/terms.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { PartWriter } from '../../src/part/part-writer.ts';
import type { PartitionView } from '../../src/partition/view.ts';
import { LocalReader, type RunQuery } from '../../src/query/local-reader.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { attribute, batchOf, idOf, requestOf, span } from '../block/scanned.ts';
import { ANY_TRACE } from './made-store.ts';

const BLOCKS = 400;
const ROWS = 4_000;

const folder = mkdtempSync(join(tmpdir(), 'tracelith-cancel-'));
const seen: RunQuery[] = [];
let partitions: PartitionView[];
let reader: LocalReader;
let started: PromiseWithResolvers<void>;

beforeAll(() => {
  // Each value of n and m is in every block, never the same of both on one span: all blocks are opened, none matches.
  const spans = Array.from({ length: ROWS }, (_, i) =>
    span(1 + (i % 250), {
      traceId: idOf(1 + (i >> 4), 16),
      attributes: [
        attribute('n', { intValue: BigInt(i) }),
        attribute('m', { intValue: BigInt(ROWS - 1 - i) }),
        attribute('t', `value ${i} of many`),
      ],
    }),
  );
  const batch = batchOf(requestOf(spans));
  const terms = new TermSet();
  const day = batch.day[0]!;
  const { rows } = regroupByTrace(batch);
  const bytes = encodeBlock(batch, rows, { tenant: DEFAULT_TENANT, day, profile: 'merged', terms });
  const path = join(folder, 'part');
  const writer = new PartWriter(nodeDisk, path);
  for (let i = 0; i < BLOCKS; i++) writer.addBlock(bytes, terms);
  const { rowCount } = writer.finish(day, { logSeqMax: 0, partIds: [] });
  const part = { identity: newIdentity(), path, blocks: 1, rowCount, startMinNs: 0n, startMaxNs: 2n ** 62n };
  partitions = [{ day, path: folder, parts: [part], logBlocks: [] }];
  reader = new LocalReader({
    source: {
      listServices: () => Promise.resolve({ items: [], warnings: [] }),
      listOperations: () => Promise.resolve({ items: [], warnings: [] }),
      takeView: () => {
        started.resolve();
        return Promise.resolve({ partitions, id: 1 });
      },
      releaseView: () => undefined,
      reportDamage: () => Promise.resolve(),
    },
    logger: createLogger({ write: () => undefined }),
    workers: 1,
    concurrentMax: 2,
    durationMaxMs: 60_000,
    observe: (query) => seen.push(query),
  });
});

afterAll(async () => {
  await reader.close();
  rmSync(folder, { recursive: true });
});

test(
  'the thread is free again when the client leaves, with most of the search undone',
  { timeout: 60_000 },
  async () => {
    const query = { ...ANY_TRACE, tags: ['n', 'm'].map((key) => ({ key, value: '7' })) };
    started = Promise.withResolvers();
    const wholeMs = await timeOf(() => reader.findNewest({ tenant: DEFAULT_TENANT }, query));
    expect(seen[0]).toMatchObject({ kind: 'search', outcome: 'ok' });
    started = Promise.withResolvers();
    const leaving = new AbortController();
    const search = reader.findNewest({ tenant: DEFAULT_TENANT, signal: leaving.signal }, query);
    const refusal = search.then(
      () => undefined,
      (error: unknown) => error,
    );
    await started.promise;
    // Not a wait for something: the client leaves when a tenth of the search is done.
    await new Promise((resolve) => setTimeout(resolve, wholeMs / 10));
    leaving.abort();
    // What the next client asks is answered when the thread is free.
    await reader.findTraces({ tenant: DEFAULT_TENANT }, [idOf(9_999, 16)]);
    expect(await refusal).toMatchObject({ code: 'CANCELLED' });
    expect(seen[1]).toMatchObject({ kind: 'search', outcome: 'CANCELLED' });
    // It had begun, and had most of its work before it.
    expect(seen[1]!.bytes).toBeGreaterThan(0);
    expect(seen[1]!.bytes).toBeLessThan(seen[0]!.bytes);
  },
);

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
