// ns a row of each hot function on a span's way in, and of reading (micro-reads.ts), on one thread of this process, so that a regression shows in a minute. Each step
// works on what the step before it made, in the sizes that a node meets at 20,000 spans/s. The least of a few rounds counts.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readBlockHeader } from '../../src/block/block-header.ts';
import { appendBlock } from '../../src/block/decode-block.ts';
import { encodeBlock } from '../../src/block/encode-block.ts';
import { readBlockNames } from '../../src/block/read-names.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { TermSet } from '../../src/block/terms.ts';
import { buildFuseFilter } from '../../src/codec/fuse-filter.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { cutBlocks } from '../../src/part/cut-blocks.ts';
import { encodeFileHeader, LOG_FORMAT } from '../../src/part/format-version.ts';
import { newIdentity } from '../../src/part/identity.ts';
import {
  BLOCK_ROWS_TARGET,
  mergeParts,
  type MergeBlock,
  type MergeInput,
  type MergeJob,
} from '../../src/part/merge-parts.ts';
import { readPartMetadata } from '../../src/part/part-reader.ts';
import { DATA_FILE } from '../../src/part/part-writer.ts';
import { rowsByDay, SpanBatch } from '../../src/trace/span-batch.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import type { BenchOptions } from '../harness/options.ts';
import type { Report } from '../harness/report.ts';
import { Stopwatch } from '../harness/stopwatch.ts';
import { trafficStream } from '../harness/traffic.ts';
import type { Frame } from '../workload/frames.ts';
import { measureReads } from './micro-reads.ts';

/** Rows of a flush (LOG_ROWS_MAX), and parts of a merge (MERGE_PARTS_MIN). */
const flushRows = 131_072;
const flushes = 8;
const rounds = 3;
const allTimes = { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n };

export async function micro(options: BenchOptions, command: string): Promise<Report> {
  const frames = [...trafficStream(options, options.spans ?? flushes * flushRows)];
  const watch = new Stopwatch();
  const sizes = new Map<string, number>();
  const folder = mkdtempSync(join(tmpdir(), 'tracelith-micro-'));
  try {
    for (let round = 0; round < rounds; round++) measureRound(frames, join(folder, `${round}`), { watch, sizes });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    scenario: 'micro',
    command,
    targets: ['least', 'first round'],
    rows: [...watch.rows(), ...[...sizes].map(([metric, least]) => ({ metric, unit: 'B/row', values: { least } }))],
    notes: [
      `CPU of all threads, V8's own among them; the least of ${rounds - 1} rounds after the first, which compiles`,
      `${options.frames ?? `profile ${options.profile}`}, seed ${options.seed}, ${frames.length} requests`,
    ],
  };
}

interface Instruments {
  readonly watch: Stopwatch;
  readonly sizes: Map<string, number>;
}

/** Log blocks of one flush. */
interface Log {
  readonly blocks: Uint8Array[];
  rows: number;
}

function measureRound(frames: readonly Frame[], folder: string, { watch, sizes }: Instruments): void {
  watch.beginRound();
  nodeDisk.makeDir(folder);
  const logs: Log[] = [];
  const commit = new SpanBatch();
  for (const frame of frames) {
    if ((logs.at(-1)?.rows ?? flushRows) >= flushRows) logs.push({ blocks: [], rows: 0 });
    addCommit(commit, frame, { log: logs.at(-1)!, watch });
  }
  for (const log of logs) measureFlushSteps(log, watch);
  const { day } = readBlockHeader(logs[0]!.blocks[0]!);
  const jobs = logs.map(({ blocks }, i) =>
    jobOf([writeLog(join(folder, `${i}.log`), blocks)], join(folder, `part-${i}`), day),
  );
  jobs.forEach((job, i) => watch.time('flush: log to part, all in', logs[i]!.rows, () => mergeParts(nodeDisk, job)));
  const paths = jobs.map(({ partPath }) => partPath);
  const merge: MergeJob = {
    ...jobOf(paths.map(partInput), join(folder, 'merged'), day),
    origin: { logSeqMax: 1, partIds: paths.map(() => newIdentity()) },
    rollups: { kind: 'sum', parts: paths, isWholeDay: true },
  };
  const rows = logs.reduce((sum, log) => sum + log.rows, 0);
  watch.time('merge: parts to part, all in', rows, () => mergeParts(nodeDisk, merge));
  measureReads(merge.partPath, watch);
  const logBytes = logs.flatMap(({ blocks }) => blocks).reduce((sum, { length }) => sum + length, 0);
  sizes.set('log', logBytes / rows);
  sizes.set('flushed parts', paths.reduce((sum, path) => sum + partBytes(path), 0) / rows);
  sizes.set('merged part', partBytes(merge.partPath) / rows);
}

/** Scans one request and encodes its rows, as a commit of one request does. Rows of another day than the first row's are left out. */
function addCommit(commit: SpanBatch, { body, spans }: Frame, { log, watch }: { log: Log; watch: Stopwatch }): void {
  watch.time('scan', spans, () => scanRequest(commit, body, allTimes));
  const [[day, dayRows] = []] = rowsByDay(commit);
  if (day === undefined || dayRows === undefined) throw new Error('BUG: a request without spans');
  const { rows } = watch.time('regroup a commit', dayRows.length, () => regroupByTrace(commit, dayRows));
  const options = { tenant: DEFAULT_TENANT, day, profile: 'log' } as const;
  const block = watch.time('encode a log block', rows.length, () => encodeBlock(commit, rows, options));
  watch.time('names of a log block', rows.length, () => readBlockNames(block));
  log.blocks.push(block);
  log.rows += rows.length;
  commit.clearRows();
}

/** The steps inside of a flush. */
function measureFlushSteps({ blocks, rows }: Log, watch: Stopwatch): void {
  const window = new SpanBatch();
  watch.time('  decode log blocks', rows, () => blocks.forEach((block) => appendBlock(window, block)));
  const regrouped = watch.time('  regroup a flush', rows, () => regroupByTrace(window));
  const { day } = readBlockHeader(blocks[0]!);
  let start = 0;
  for (const end of cutBlocks(regrouped.traceEnds, BLOCK_ROWS_TARGET)) {
    const picked = regrouped.rows.subarray(start, end);
    for (const profile of ['log', 'merged'] as const) {
      const options = { tenant: DEFAULT_TENANT, day, profile };
      watch.time(`  encode a ${profile} block`, picked.length, () => encodeBlock(window, picked, options));
    }
    const terms = new TermSet();
    const options = { tenant: DEFAULT_TENANT, day, profile: 'merged', terms } as const;
    watch.time('  encode a merged block with its terms', picked.length, () => encodeBlock(window, picked, options));
    watch.time('  filter of a block', picked.length, () => buildFuseFilter(terms));
    start = end;
  }
}

function writeLog(path: string, blocks: readonly Uint8Array[]): MergeInput {
  const file = nodeDisk.createFile(path);
  file.write(encodeFileHeader(LOG_FORMAT, newIdentity()));
  const places: MergeBlock[] = [];
  for (const block of blocks) {
    places.push({ ...readBlockHeader(block), offset: file.sizeBytes });
    file.write(block);
  }
  file.close();
  return { path, blocks: places };
}

function partInput(path: string): MergeInput {
  return { path: join(path, DATA_FILE), blocks: readPartMetadata(nodeDisk, path).blocks, isPart: true };
}

function jobOf(inputs: readonly MergeInput[], partPath: string, day: number): MergeJob {
  const quarantinePath = join(dirname(partPath), 'quarantine');
  nodeDisk.makeDir(quarantinePath);
  return {
    inputs,
    partPath,
    day,
    origin: { logSeqMax: 1, partIds: [] },
    rollups: { kind: 'count', counted: [] },
    quarantinePath,
  };
}

function partBytes(path: string): number {
  const { dataBytes, tracesBytes, filtersBytes, rollupsBytes } = readPartMetadata(nodeDisk, path);
  return dataBytes + tracesBytes + filtersBytes + rollupsBytes;
}
