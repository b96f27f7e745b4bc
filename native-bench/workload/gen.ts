// Writes a frames file of generated traffic and prints one line about it: what anyone needs to compare densities.
//   node native-bench/workload/gen.ts --profile shop --spans 1000000 --batch 1000 --seed 1 --start 2026-11-20T00:00:00Z --out traffic.otlpframes
import { parseArgs } from 'node:util';
import { zstdCompressSync, constants } from 'node:zlib';
import { FrameWriter } from './frames.ts';
import { isProfileName, defaultWorkload, profiles, requests } from './requests.ts';
import type { WorkloadOptions } from './requests.ts';
import { traceIdsOf } from './wire-positions.ts';

const usage = `usage: gen.ts --out FILE [--profile ${Object.keys(profiles).join('|')}] [--spans N] [--batch N] [--seed N] [--start TIME] [--seconds N] [--instances N]`;

function parseOptions(): { workload: WorkloadOptions; out: string } {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      profile: text,
      spans: text,
      batch: text,
      seed: text,
      start: text,
      seconds: text,
      instances: text,
      out: text,
    },
  });
  const profile = values.profile ?? defaultWorkload.profile;
  if (values.out === undefined) throw new Error(`--out is missing; ${usage}`);
  if (!isProfileName(profile)) throw new Error(`no profile ${profile}; ${usage}`);
  const seconds = positive('seconds', values.seconds, defaultWorkload.seconds);
  const startMs = values.start === undefined ? Date.now() - seconds * 1000 : Date.parse(values.start);
  if (Number.isNaN(startMs))
    throw new Error(`--start ${values.start} is not a time; write it like 2026-11-20T00:00:00Z`);
  const workload: WorkloadOptions = {
    profile,
    seconds,
    startNs: BigInt(Math.floor(startMs)) * 1_000_000n,
    spans: positive('spans', values.spans, defaultWorkload.spans),
    batch: positive('batch', values.batch, defaultWorkload.batch),
    seed: positive('seed', values.seed, defaultWorkload.seed),
    instances: positive('instances', values.instances, defaultWorkload.instances),
  };
  return { workload, out: values.out };
}

function positive(name: string, text: string | undefined, whenAbsent: number): number {
  if (text === undefined) return whenAbsent;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} ${text} is not a positive integer`);
  return value;
}

function main(): void {
  const { workload, out } = parseOptions();
  const traces = new Set<string>();
  const sum = { requests: 0, spans: 0, bytes: 0, zstd3Bytes: 0 };
  using file = new FrameWriter(out);
  for (const frame of requests(workload)) {
    file.write(frame);
    for (const id of traceIdsOf(frame.body)) traces.add(id);
    sum.requests++;
    sum.spans += frame.spans;
    sum.bytes += frame.body.length;
    // Each request on its own, as an exporter would compress it.
    sum.zstd3Bytes += zstdCompressSync(frame.body, { params: { [constants.ZSTD_c_compressionLevel]: 3 } }).length;
  }
  const { profile, seed } = workload;
  const perSpan = { bytesPerSpan: round(sum.bytes / sum.spans), zstd3BytesPerSpan: round(sum.zstd3Bytes / sum.spans) };
  console.log(JSON.stringify({ profile, seed, ...sum, traces: traces.size, ...perSpan }));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

if (import.meta.main) main();
