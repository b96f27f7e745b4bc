// The machine's own floor, measured in the same run as the figures it stands beside: what copying, compressing, syncing and
// receiving the same bytes costs when nothing else is done with them. Shared machines drift; ratios to this drift less.
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { constants, zstdCompressSync } from 'node:zlib';
import { open } from 'lmdb';
import lz4 from 'lz4-napi';
import type { Frame } from '../workload/frames.ts';
import { Child, findFreePort } from './child.ts';
import { HttpClient } from './http-client.ts';
import { quantile } from './latencies.ts';
import { driveLoad } from './load.ts';
import { readUsage } from './process-usage.ts';
import { driveQueries } from './queries.ts';

export interface Floor {
  readonly copyGBPerSecond: number;
  readonly lz4MBPerSecond: number;
  readonly zstd1MBPerSecond: number;
  readonly zstd3MBPerSecond: number;
  /** Size of each request on its own under zstd-3, per span. */
  readonly zstd3BytesPerSpan: number;
  readonly otlpBytesPerSpan: number;
  /** Puts into a bare LMDB environment, a durable transaction for each thousand. */
  readonly lmdbPutsPerSecond: number;
  readonly fdatasyncP50Ms: number;
  readonly fdatasyncP99Ms: number;
  /** The same bodies to a bare node:http server that drops them. */
  readonly postSpansPerSecond: number;
  readonly postP50Ms: number;
  readonly postP99Ms: number;
  readonly postCpuUsPerSpan: number | undefined;
  /** A GET to that server, which answers with nothing. */
  readonly getP50Ms: number;
  readonly getP99Ms: number;
  /** From spawning that server to its first answer. */
  readonly startMs: number;
}

// Enough bytes for a stable throughput, little enough to take well under a second each.
const sampleBytesMax = 16 << 20;
const syncs = 200;
const syncBytes = 64 << 10;
const postSeconds = 2;
const getSeconds = 1;
const lmdbPuts = 50_000;
const lmdbPutsPerTransaction = 1000;
const lmdbKeyBytes = 16;
const lmdbValueBytes = 32;
const serverStartTimeoutMs = 5000;

/** `directory` must lie on the disk that is measured. Takes about five seconds. */
export async function measureFloor(
  frames: readonly Frame[],
  { directory, connections }: { directory: string; connections: number },
): Promise<Floor> {
  const sample = takeSample(frames);
  const spans = sample.reduce((sum, frame) => sum + frame.spans, 0);
  const bytes = sample.reduce((sum, frame) => sum + frame.body.length, 0);
  const zstd3 = throughput(sample, (body) => zstd(body, 3));
  return {
    copyGBPerSecond: copySpeed(),
    lz4MBPerSecond: throughput(sample, (body) => lz4.compressSync(body).length).mbPerSecond,
    zstd1MBPerSecond: throughput(sample, (body) => zstd(body, 1)).mbPerSecond,
    zstd3MBPerSecond: zstd3.mbPerSecond,
    zstd3BytesPerSpan: zstd3.bytesOut / spans,
    otlpBytesPerSpan: bytes / spans,
    lmdbPutsPerSecond: await lmdbSpeed(directory),
    ...syncSpeed(directory),
    ...(await httpSpeed(sample, connections)),
  };
}

function takeSample(frames: readonly Frame[]): Frame[] {
  const sample: Frame[] = [];
  let bytes = 0;
  for (const frame of frames) {
    if (bytes >= sampleBytesMax) break;
    sample.push(frame);
    bytes += frame.body.length;
  }
  return sample;
}

function zstd(body: Uint8Array, level: number): number {
  return zstdCompressSync(body, { params: { [constants.ZSTD_c_compressionLevel]: level } }).length;
}

function throughput(
  sample: readonly Frame[],
  compress: (body: Buffer) => number,
): { mbPerSecond: number; bytesOut: number } {
  const bodies = sample.map(({ body }) => Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  const startMs = performance.now();
  let bytesIn = 0;
  let bytesOut = 0;
  for (const body of bodies) {
    bytesIn += body.length;
    bytesOut += compress(body);
  }
  return { mbPerSecond: bytesIn / 1000 / (performance.now() - startMs), bytesOut };
}

function copySpeed(): number {
  const from = Buffer.alloc(64 << 20, 1);
  const to = Buffer.alloc(from.length);
  from.copy(to);
  const rounds = 8;
  const startMs = performance.now();
  for (let i = 0; i < rounds; i++) from.copy(to);
  return (from.length * rounds) / 1e6 / (performance.now() - startMs);
}

function syncSpeed(directory: string): { fdatasyncP50Ms: number; fdatasyncP99Ms: number } {
  const path = join(directory, 'floor-fdatasync');
  const file = openSync(path, 'w');
  const bytes = Buffer.alloc(syncBytes, 7);
  const ms = new Float64Array(syncs);
  try {
    for (let i = 0; i < syncs; i++) {
      const startMs = performance.now();
      writeSync(file, bytes, 0, bytes.length, i * syncBytes);
      fdatasyncSync(file);
      ms[i] = performance.now() - startMs;
    }
  } finally {
    closeSync(file);
    rmSync(path);
  }
  ms.sort();
  return { fdatasyncP50Ms: quantile(ms, 0.5), fdatasyncP99Ms: quantile(ms, 0.99) };
}

async function lmdbSpeed(directory: string): Promise<number> {
  const path = join(directory, 'floor-lmdb');
  const database = open<Buffer, Buffer>({ path, encoding: 'binary', keyEncoding: 'binary' });
  try {
    const startMs = performance.now();
    const key = Buffer.alloc(lmdbKeyBytes);
    const value = Buffer.alloc(lmdbValueBytes, 7);
    for (let put = 0; put < lmdbPuts;) {
      database.transactionSync(() => {
        for (let i = 0; i < lmdbPutsPerTransaction; i++, put++) {
          key.writeUInt32BE(Math.imul(put, 0x9e3779b1) >>> 0); // spread over the tree, as hashes and ids are
          database.putSync(key, value);
        }
      });
    }
    return lmdbPuts / ((performance.now() - startMs) / 1000);
  } finally {
    await database.close();
    rmSync(path, { recursive: true });
  }
}

type PostFloor = Pick<Floor, 'postSpansPerSecond' | 'postP50Ms' | 'postP99Ms' | 'postCpuUsPerSpan'>;
type HttpFloor = PostFloor & Pick<Floor, 'getP50Ms' | 'getP99Ms' | 'startMs'>;

/** A GET that does nothing, while `connections` of them go on. */
export async function measureGetFloor(connections: number): Promise<Pick<Floor, 'getP50Ms' | 'getP99Ms'>> {
  return withFloorServer(({ url }) => getSpeed(url, connections));
}

async function httpSpeed(sample: readonly Frame[], connections: number): Promise<HttpFloor> {
  return withFloorServer(async ({ url, pid, startMs }) => {
    using client = new HttpClient(url, connections);
    const post = await postSpeed(sample, { client, connections, pid });
    return { ...post, ...(await getSpeed(url, 1)), startMs };
  });
}

interface FloorServer {
  readonly url: string;
  readonly pid: number;
  readonly startMs: number;
}

async function withFloorServer<T>(measure: (server: FloorServer) => Promise<T>): Promise<T> {
  const port = await findFreePort();
  const startedMs = performance.now();
  const child = await Child.start(process.execPath, [
    new URL('floor-server.ts', import.meta.url).pathname,
    String(port),
  ]);
  try {
    const url = `http://127.0.0.1:${port}`;
    await waitUntilListening(url, child);
    return await measure({ url, pid: child.pid, startMs: performance.now() - startedMs });
  } finally {
    await child.stop();
  }
}

async function getSpeed(url: string, connections: number): Promise<Pick<Floor, 'getP50Ms' | 'getP99Ms'>> {
  const gets = await driveQueries({ url, connections, seconds: getSeconds, path: () => '/', check: () => {} });
  const { p50Ms, p99Ms } = gets.summary();
  return { getP50Ms: p50Ms, getP99Ms: p99Ms };
}

async function postSpeed(
  sample: readonly Frame[],
  { client, connections, pid }: { client: HttpClient; connections: number; pid: number },
): Promise<PostFloor> {
  let at = 0;
  const next = (): Frame | undefined => sample[at++ % sample.length];
  await driveLoad({ client, path: '/', connections, seconds: postSeconds / 4, rate: 0, next });
  const before = readUsage(pid);
  const load = await driveLoad({ client, path: '/', connections, seconds: postSeconds, rate: 0, next });
  const after = readUsage(pid);
  const { p50Ms, p99Ms } = load.latencies.summary();
  const cpuMs = before === undefined || after === undefined ? undefined : after.cpuMs - before.cpuMs;
  return {
    postSpansPerSecond: load.spans / load.seconds,
    postP50Ms: p50Ms,
    postP99Ms: p99Ms,
    postCpuUsPerSpan: cpuMs === undefined ? undefined : (cpuMs * 1000) / load.spans,
  };
}

async function waitUntilListening(url: string, child: Child): Promise<void> {
  using client = new HttpClient(url, 1);
  const deadlineMs = performance.now() + serverStartTimeoutMs;
  for (;;) {
    const isUp = await client.get('/').then(
      () => true,
      () => false, // not listening yet
    );
    if (isUp) return;
    if (performance.now() > deadlineMs) throw new Error(`the floor server did not start: ${child.output}`);
    await delay(10);
  }
}
