// The machine's own floor, measured in the same run as the figures it stands beside: what copying, compressing, syncing and
// receiving the same bytes costs when nothing else is done with them. Shared machines drift; ratios to this drift less.
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { constants, zstdCompressSync } from 'node:zlib';
import lz4 from 'lz4-napi';
import type { Frame } from '../workload/frames.ts';
import { Child, findFreePort } from './child.ts';
import { HttpClient } from './http-client.ts';
import { quantile } from './latencies.ts';
import { driveLoad } from './load.ts';
import { readUsage } from './process-usage.ts';

export interface Floor {
  readonly copyGBPerSecond: number;
  readonly lz4MBPerSecond: number;
  readonly zstd1MBPerSecond: number;
  readonly zstd3MBPerSecond: number;
  /** Size of each request on its own under zstd-3, per span. */
  readonly zstd3BytesPerSpan: number;
  readonly otlpBytesPerSpan: number;
  readonly fdatasyncP50Ms: number;
  readonly fdatasyncP99Ms: number;
  /** The same bodies to a bare node:http server that drops them. */
  readonly postSpansPerSecond: number;
  readonly postP50Ms: number;
  readonly postP99Ms: number;
  readonly postCpuUsPerSpan: number | undefined;
}

// Enough bytes for a stable throughput, little enough to take well under a second each.
const sampleBytesMax = 16 << 20;
const syncs = 200;
const syncBytes = 64 << 10;
const postSeconds = 2;
const serverStartTimeoutMs = 5000;

/** `directory` must lie on the disk that is measured. Takes about four seconds. */
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
    ...syncSpeed(directory),
    ...(await postSpeed(sample, connections)),
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

type PostFloor = Pick<Floor, 'postSpansPerSecond' | 'postP50Ms' | 'postP99Ms' | 'postCpuUsPerSpan'>;

async function postSpeed(sample: readonly Frame[], connections: number): Promise<PostFloor> {
  const port = await findFreePort();
  const child = await Child.start([new URL('floor-server.ts', import.meta.url).pathname, String(port)], process.cwd());
  try {
    using client = new HttpClient(`http://127.0.0.1:${port}`, connections);
    await waitUntilListening(client, child);
    let at = 0;
    const next = (): Frame | undefined => sample[at++ % sample.length];
    await driveLoad({ client, path: '/', connections, seconds: postSeconds / 4, rate: 0, next });
    const before = readUsage(child.pid);
    const load = await driveLoad({ client, path: '/', connections, seconds: postSeconds, rate: 0, next });
    const after = readUsage(child.pid);
    const { p50Ms, p99Ms } = load.latencies.summary();
    const cpuMs = before === undefined || after === undefined ? undefined : after.cpuMs - before.cpuMs;
    return {
      postSpansPerSecond: load.spans / load.seconds,
      postP50Ms: p50Ms,
      postP99Ms: p99Ms,
      postCpuUsPerSpan: cpuMs === undefined ? undefined : (cpuMs * 1000) / load.spans,
    };
  } finally {
    await child.stop();
  }
}

async function waitUntilListening(client: HttpClient, child: Child): Promise<void> {
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
