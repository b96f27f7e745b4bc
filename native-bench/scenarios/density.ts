// Bytes per span on disk after flush and merge, by kind of file. Speed is not the point: bodies are made while they are sent.
import { constants, zstdCompressSync } from 'node:zlib';
import { HttpClient } from '../harness/http-client.ts';
import { driveLoad } from '../harness/load.ts';
import type { BenchOptions } from '../harness/options.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { bytesByKind, onEachTarget, settle } from '../harness/target.ts';
import { trafficStream } from '../harness/traffic.ts';

const spansDefault = 500_000;
// The kinds of files a store has are few; what is beyond this many is summed up.
const kindsShownMax = 12;

export async function density(options: BenchOptions, command: string): Promise<Report> {
  const measured = await onEachTarget(options, async (target) => ({
    target: target.name,
    rows: await measureDensity(target, options),
  }));
  const replicated = 'replicas have fresh ids, UUIDs and times; other values repeat, so real data compresses less well';
  return {
    scenario: 'density',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    notes: [
      `${options.frames === undefined ? `profile ${options.profile}` : `${options.frames} replicated: ${replicated}`}, seed ${options.seed}`,
    ],
  };
}

async function measureDensity(target: Target, options: BenchOptions): Promise<Figure[]> {
  if (target.dataPath === undefined)
    throw new Error(`density needs the data directory of ${target.name}: give --data-path or --peer-data-path`);
  const { connections } = options;
  using client = new HttpClient(target.url, connections);
  const stream = trafficStream(options, options.spans ?? spansDefault);
  let zstd3Bytes = 0;
  const next = () => {
    const frame = stream.next().value;
    if (frame !== undefined)
      zstd3Bytes += zstdCompressSync(frame.body, { params: { [constants.ZSTD_c_compressionLevel]: 3 } }).length;
    return frame;
  };
  const load = await driveLoad({
    client,
    path: target.insertPath,
    connections,
    seconds: Infinity,
    rate: options.rate,
    next,
  });
  const beforeSettling = bytesByKind(target.dataPath);
  const settleMs = await settle(target);
  const kinds = [...bytesByKind(target.dataPath)].sort((a, b) => b[1] - a[1]);
  const perSpan = (bytes: number): number => bytes / load.spans;
  const sum = (bytes: Iterable<number>): number => perSpan([...bytes].reduce((total, one) => total + one, 0));
  return [
    {
      metric: 'all files, after flush and merge (floor: zstd-3 of OTLP)',
      unit: 'B/span',
      value: sum(kinds.map(([, bytes]) => bytes)),
      floor: perSpan(zstd3Bytes),
    },
    ...kinds
      .slice(0, kindsShownMax)
      .map(([kind, bytes]) => ({ metric: `  ${kind}`, unit: 'B/span', value: perSpan(bytes) })),
    ...(kinds.length > kindsShownMax
      ? [{ metric: '  other files', unit: 'B/span', value: sum(kinds.slice(kindsShownMax).map(([, bytes]) => bytes)) }]
      : []),
    { metric: 'all files, before', unit: 'B/span', value: sum(beforeSettling.values()) },
    { metric: 'OTLP sent', unit: 'B/span', value: perSpan(load.bytes) },
    { metric: 'flush + merge', unit: 'ms', value: settleMs },
    { metric: 'spans', unit: 'spans', value: load.spans },
  ];
}
