// The command line of the benchmarks: every option of every scenario, with its default, in one table.
import { parseArgs } from 'node:util';
import { isProfileName, profiles } from '../workload/requests.ts';
import type { ProfileName } from '../workload/requests.ts';

export interface Peer {
  readonly name: string;
  readonly url: string;
}

export interface BenchOptions {
  readonly profile: ProfileName;
  /** Captured requests to replicate instead of a profile. */
  readonly frames: string | undefined;
  readonly seed: number;
  readonly batch: number;
  readonly spans: number | undefined;
  /** The traffic's starts spread over this long before now, s. */
  readonly overSeconds: number;
  /** Folder of a filled store that is kept from run to run; undefined: a temporary one. */
  readonly store: string | undefined;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly connections: number;
  readonly rate: number;
  /** Connections that query while mixed ingests: half of them searches, half traces by id. */
  readonly readers: number;
  /** Numbers of storage nodes that cluster measures. */
  readonly storages: readonly number[];
  /** A node that already runs; its pid gives CPU and memory, its data path the bytes on disk. */
  readonly url: string | undefined;
  readonly pid: number | undefined;
  readonly dataPath: string | undefined;
  readonly peer: Peer | undefined;
  readonly peerPid: number | undefined;
  readonly peerDataPath: string | undefined;
  readonly peerInsertPath: string;
  readonly peerJaegerPath: string;
  readonly flags: readonly string[];
  readonly save: boolean;
  readonly timeoutSeconds: number;
}

const text = { type: 'string' } as const;
const rows = {
  profile: { ...text, help: `${Object.keys(profiles).join(', ')}; default shop` },
  frames: { ...text, help: 'replicate this frames file (fresh ids, UUIDs and times) instead of a profile' },
  seed: { ...text, help: 'of the workload; default 1' },
  batch: { ...text, help: 'spans in a request; default 1000, fairness: 100' },
  spans: {
    ...text,
    help: 'ingest, sustain: bodies kept ready (300000); others: spans stored (500000; mixed 200000; big-trace 100000)',
  },
  'over-seconds': { ...text, help: 'the traffic spreads over this long before now; default 300' },
  store: { ...text, help: 'by-id, search, mixed: fill a store in this folder once and keep it for further runs' },
  seconds: { ...text, help: 'measured time; default 10, sustain: 300, fairness: 30' },
  'warmup-seconds': { ...text, help: 'ingest, mixed, sustain: not measured; default 2' },
  connections: { ...text, help: 'parallel connections; default 8, for queries 1, fairness: 4' },
  rate: {
    ...text,
    help: 'spans/s over all connections; default 0: as fast as acknowledgements come; mixed, log: 20000, sustain: 100000, fairness: 5000',
  },
  storages: { ...text, help: 'cluster: numbers of storage nodes, with commas; default 1,2,3,4,8' },
  readers: { ...text, help: 'mixed: connections that search and find by id meanwhile; default 4' },
  url: { ...text, help: 'measure the node at this address instead of starting one' },
  pid: { ...text, help: 'its process id, for CPU and memory' },
  'data-path': {
    ...text,
    help: 'its data directory, for bytes on disk; where a started node puts its own (default: a temporary one)',
  },
  flag: {
    ...text,
    multiple: true,
    help: 'a further flag for the started node, for example --flag=-retentionPeriod=30d',
  },
  peer: { ...text, help: 'name=url of another store that takes OTLP and speaks Jaeger JSON' },
  'peer-pid': { ...text, help: 'its process id' },
  'peer-data-path': { ...text, help: 'its data directory' },
  'peer-insert-path': { ...text, help: 'default /v1/traces' },
  'peer-jaeger-path': { ...text, help: 'default /api' },
  save: { type: 'boolean', help: 'write the result to native-bench/results' },
  'timeout-seconds': { ...text, help: 'give up after this long; default 900' },
} as const;

export function usage(scenarios: readonly string[]): string {
  const lines = Object.entries(rows).map(([name, { help }]) => `  --${name.padEnd(18)} ${help}`);
  return `usage: npm run bench -- <${scenarios.join('|')}> [options]\n${lines.join('\n')}`;
}

/** Throws with the option's name when a value is no good. */
export function parseBenchOptions(argv: readonly string[]): { scenario: string | undefined; options: BenchOptions } {
  const { values, positionals } = parseArgs({ args: [...argv], options: rows, allowPositionals: true });
  const profile = values.profile ?? 'shop';
  if (!isProfileName(profile))
    throw new Error(`--profile ${profile} does not exist; there are ${Object.keys(profiles).join(', ')}`);
  if (values.store !== undefined && values.peer !== undefined)
    throw new Error('--store keeps our own files: a --peer is filled anew, give them in two runs');
  const [scenario] = positionals;
  const defaults = defaultsOf(scenario);
  const options: BenchOptions = {
    profile,
    frames: values.frames,
    seed: number('seed', values.seed, 1),
    batch: number('batch', values.batch, defaults.batch),
    spans: values.spans === undefined ? undefined : number('spans', values.spans, 0),
    overSeconds: number('over-seconds', values['over-seconds'], 300),
    store: values.store,
    seconds: number('seconds', values.seconds, defaults.seconds),
    warmupSeconds: number('warmup-seconds', values['warmup-seconds'], 2, 0),
    connections: number('connections', values.connections, defaults.connections),
    rate: number('rate', values.rate, defaults.rate, 0),
    readers: number('readers', values.readers, 4, 2),
    storages: (values.storages ?? '1,2,3,4,8').split(',').map((count) => number('storages', count, 1)),
    url: values.url,
    pid: values.pid === undefined ? undefined : number('pid', values.pid, 0),
    dataPath: values['data-path'],
    flags: values.flag ?? [],
    peer: values.peer === undefined ? undefined : parsePeer(values.peer),
    peerPid: values['peer-pid'] === undefined ? undefined : number('peer-pid', values['peer-pid'], 0),
    peerDataPath: values['peer-data-path'],
    peerInsertPath: values['peer-insert-path'] ?? '/v1/traces',
    peerJaegerPath: values['peer-jaeger-path'] ?? '/api',
    save: values.save ?? false,
    timeoutSeconds: number('timeout-seconds', values['timeout-seconds'], 900),
  };
  return { scenario, options };
}

function defaultsOf(scenario = ''): Pick<BenchOptions, 'seconds' | 'connections' | 'rate' | 'batch'> {
  const rates: Readonly<Record<string, number>> = { mixed: 20_000, log: 20_000, sustain: 100_000, fairness: 5_000 };
  const seconds: Readonly<Record<string, number>> = { sustain: 300, fairness: 30 };
  const connections: Readonly<Record<string, number>> = { fairness: 4 };
  return {
    seconds: seconds[scenario] ?? 10,
    connections: ['ingest', 'density', 'mixed', 'sustain', 'big-trace'].includes(scenario)
      ? 8
      : (connections[scenario] ?? 1),
    batch: scenario === 'fairness' ? 100 : 1_000,
    rate: rates[scenario] ?? 0,
  };
}

function number(name: string, given: string | undefined, whenAbsent: number, min = 1): number {
  if (given === undefined) return whenAbsent;
  const value = Number(given);
  if (!Number.isFinite(value) || value < min || given.trim() === '')
    throw new Error(`--${name} ${given} is not a number of at least ${min}`);
  return value;
}

function parsePeer(given: string): Peer {
  const found = /^([^=]+)=(https?:\/\/.+)$/.exec(given);
  if (found === null) throw new Error(`--peer ${given} is not name=url, for example --peer vt=http://127.0.0.1:10428`);
  return { name: found[1] ?? '', url: (found[2] ?? '').replace(/\/$/, '') };
}
