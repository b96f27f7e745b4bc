// What the kernel tells of this process (Linux): memory, faults, reads and writes, descriptors, pressure. On other systems
// nothing is told, and its metrics have no samples. A few files of /proc, some 100 µs together.
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessFigures {
  /** Bytes, by the name of a line of /proc/self/status: VmRSS, RssAnon, …. */
  readonly memoryBytes: Readonly<Record<MemoryLine, number>>;
  readonly threads: number;
  /** Counters of /proc/self/io. */
  readonly io: Readonly<Record<IoLine, number>>;
  readonly openDescriptors: number;
  /** undefined: the system does not measure pressure, or not for this control group. */
  readonly pressure: Readonly<Partial<Record<PressedResource, Pressure>>>;
}

export const MEMORY_LINES = ['VmRSS', 'VmHWM', 'RssAnon', 'RssFile', 'RssShmem', 'VmSize', 'VmPeak'] as const;
export type MemoryLine = (typeof MEMORY_LINES)[number];

export const IO_LINES = ['rchar', 'wchar', 'syscr', 'syscw', 'read_bytes', 'write_bytes'] as const;
export type IoLine = (typeof IO_LINES)[number];

export const PRESSED_RESOURCES = ['cpu', 'io', 'memory'] as const;
export type PressedResource = (typeof PRESSED_RESOURCES)[number];

/** Seconds since the start of the control group in which some, or all, of its threads waited for the resource. */
export interface Pressure {
  readonly waitingSeconds: number;
  readonly stalledSeconds: number;
}

/** undefined: the system has no /proc. */
export function readProcessFigures(): ProcessFigures | undefined {
  const [status, io] = [readText('/proc/self/status'), readText('/proc/self/io')];
  if (status === undefined || io === undefined) return undefined;
  const statusLines = linesOf(status);
  const ioLines = linesOf(io);
  const pressure = PRESSED_RESOURCES.map((resource) => [resource, readPressure(resource)] as const);
  return {
    // The kernel's kB are KiB.
    memoryBytes: record(MEMORY_LINES, (line) => (statusLines.get(line) ?? 0) * 1024),
    threads: statusLines.get('Threads') ?? 0,
    io: record(IO_LINES, (line) => ioLines.get(line) ?? 0),
    openDescriptors: countDescriptors(),
    pressure: Object.fromEntries(pressure.filter(([, read]) => read !== undefined)),
  };
}

/** The numbers behind `name:`. */
function linesOf(text: string): Map<string, number> {
  return new Map([...text.matchAll(/^(\w+):\s+(\d+)/gm)].map(([, name = '', value]) => [name, Number(value)]));
}

function record<K extends string>(keys: readonly K[], value: (key: K) => number): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, value(key)])) as Record<K, number>;
}

function countDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    // No descriptor is left for the reading itself: as many are open as may be.
    return NaN;
  }
}

/** The own group's folder, of control groups version 2. */
const group = /^0::(\/\S*)$/m.exec(readText('/proc/self/cgroup') ?? '')?.[1];

function readPressure(resource: PressedResource): Pressure | undefined {
  const text = group && readText(`/sys/fs/cgroup${group}/${resource}.pressure`);
  if (text === undefined || text === '') return undefined;
  const seconds = (line: string): number => {
    const [, microseconds = '0'] = new RegExp(`^${line} .*total=(\\d+)`, 'm').exec(text) ?? [];
    return Number(microseconds) / 1e6;
  };
  return { waitingSeconds: seconds('some'), stalledSeconds: seconds('full') };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // The system does not have the file; whoever needs it shows nothing.
    return undefined;
  }
}
