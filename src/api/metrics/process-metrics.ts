// Probes of the process: what the kernel and V8 tell of it at a scrape, its version and flags, and the lines of its log.
import { availableParallelism } from 'node:os';
import { descriptorLimit } from '../../base/descriptors.ts';
import { LOG_LEVELS, type LogCount } from '../../base/logger.ts';
import { deletedFilesHeld, type DeletedFiles } from '../../disk/deleted-files.ts';
import {
  PRESSED_RESOURCES,
  readProcessFigures,
  type IoLine,
  type MemoryLine,
  type Pressure,
  type ProcessFigures,
} from '../../disk/process-figures.ts';
import type { MetricRegistry, MetricSource } from './metric-registry.ts';

export interface ProcessMetricsOptions {
  /** Version of this program, as in package.json. */
  readonly version: string;
  readonly storageDataPath: string;
  /** Every flag with secrets masked: Config.shownFlags. */
  readonly shownFlags: readonly { readonly name: string; readonly value: string; readonly isSet: boolean }[];
  /** Memory that the process may take, of what the machine or container has. */
  readonly memory: { readonly allowedBytes: number; readonly availableBytes: number };
  /** Lines logged since start, of the thread that is scraped. */
  readonly logCounts: () => readonly LogCount[];
}

export function createProcessMetrics(registry: MetricRegistry, options: ProcessMetricsOptions): void {
  createConstants(registry, options);
  createNodeMetrics(registry);
  const kernel = registry.source(readProcessFigures);
  createMemoryMetrics(kernel);
  createIoMetrics(kernel);
  createPressureMetrics(kernel);
  const open = { name: 'process_open_fds', unit: 'descriptors', help: 'Open files and sockets' };
  kernel.gauge(open, (figures) => figures?.openDescriptors);
  const threads = { name: 'process_num_threads', unit: 'threads', help: 'Threads, those of V8 and libuv included' };
  kernel.gauge(threads, (figures) => figures?.threads);
  createDeletedFilesMetrics(registry, options.storageDataPath);
}

/** The log's lines, of this thread and of the engine's. */
export function createLogMetrics(registry: MetricRegistry, read: () => Promise<readonly LogCount[]>): void {
  const log = registry.source(read);
  const help = 'Log lines, those left out as repeats included, by level and message';
  const labels = ['level', 'location'];
  log.counter({ name: 'vm_log_messages_total', unit: 'lines', help, labels }, (counts) =>
    counts.map(({ level, message, count }) => ({
      labels: { level: level.toLowerCase(), location: message },
      value: count,
    })),
  );
  const lines = 'Log lines by level, repeats left out included; 0 from the start, so that an alert sees the first one';
  log.counter({ name: 'tracelith_log_lines_total', unit: 'lines', help: lines, labels: ['level'] }, (counts) =>
    LOG_LEVELS.map((level) => {
      const own = counts.filter((one) => one.level === level);
      return { labels: { level: level.toLowerCase() }, value: own.reduce((sum, { count }) => sum + count, 0) };
    }),
  );
  const suppressed = {
    name: 'tracelith_log_lines_suppressed_total',
    unit: 'lines',
    help: 'Repeated log lines left out',
  };
  log.counter(suppressed, (counts) => counts.reduce((sum, one) => sum + one.suppressed, 0));
}

function createConstants(registry: MetricRegistry, { version, shownFlags, memory }: ProcessMetricsOptions): void {
  const startSeconds = Math.round(Date.now() / 1000 - process.uptime());
  const app = registry.source(() => undefined);
  const show = (name: string, unit: string, help: string, value: () => number): void =>
    app.gauge({ name, unit, help }, value);
  show('vm_app_start_timestamp', 'seconds', 'Start of the process, Unix time', () => startSeconds);
  show('process_start_time_seconds', 'seconds', 'Start of the process, Unix time', () => startSeconds);
  show('vm_app_uptime_seconds', 'seconds', 'Age of the process', () => Math.floor(process.uptime()));
  const cores = availableParallelism();
  show('vm_available_cpu_cores', 'cores', 'CPU cores that the process may use', () => cores);
  show('process_cpu_cores_available', 'cores', 'CPU cores that the process may use', () => cores);
  const available = 'Memory of the machine, or of its container where that has less';
  show('vm_available_memory_bytes', 'bytes', available, () => memory.availableBytes);
  const allowed = 'Memory that the process may take: -memory.allowedPercent or -memory.allowedBytes';
  show('vm_allowed_memory_bytes', 'bytes', allowed, () => memory.allowedBytes);
  const labels = { version: `tracelith-${version}`, short_version: `v${version}` };
  const versions = { name: 'vm_app_version', unit: '1', help: 'Version', labels: Object.keys(labels) };
  app.gauge(versions, () => [{ labels, value: 1 }]);
  const flags = { name: 'flag', unit: '1', help: 'Flags, secrets masked', labels: ['name', 'value', 'is_set'] };
  const samples = shownFlags.map(({ name, value, isSet }) => ({
    labels: { name, value, is_set: String(isSet) },
    value: 1,
  }));
  app.gauge(flags, () => samples);
}

/** What Node tells on every system. */
function createNodeMetrics(registry: MetricRegistry): void {
  const used = registry.source(() => ({
    cpu: process.cpuUsage(),
    memory: process.memoryUsage(),
    resources: process.resourceUsage(),
  }));
  type Used = Parameters<Parameters<typeof used.gauge>[1]>[0];
  const cpu = (what: string, help: string, value: (used: Used['cpu']) => number): void =>
    used.counter({ name: `process_cpu_seconds_${what}total`, unit: 'seconds', help }, (now) => value(now.cpu) / 1e6);
  cpu('', 'CPU time', ({ user, system }) => user + system);
  cpu('user_', 'CPU time of the program', ({ user }) => user);
  cpu('system_', 'CPU time of the kernel for it', ({ system }) => system);
  const faults = (what: 'major' | 'minor', help: string): void =>
    used.counter(
      { name: `process_${what}_pagefaults_total`, unit: 'faults', help },
      ({ resources }) => resources[`${what}PageFault`],
    );
  faults('major', 'Page faults that had to read a disk');
  faults('minor', 'Page faults that found the page in memory');
  const buffers = { name: 'tracelith_array_buffer_bytes', unit: 'bytes', help: 'Memory in ArrayBuffers' };
  used.gauge(buffers, ({ memory }) => memory.arrayBuffers);
  const heap = { name: 'tracelith_heap_bytes', unit: 'bytes', help: 'JavaScript heap of the main thread, in use' };
  used.gauge(heap, ({ memory }) => memory.heapUsed);
  const most = { name: 'process_max_fds', unit: 'descriptors', help: 'Files and sockets that may be open' };
  // Once: it takes some 15 ms, and nobody changes it.
  const limit = descriptorLimit();
  used.gauge(most, () => limit);
}

function createMemoryMetrics(kernel: MetricSource<ProcessFigures | undefined>): void {
  const show = (what: string, line: MemoryLine, help: string): void =>
    kernel.gauge({ name: `process_${what}_bytes`, unit: 'bytes', help }, (figures) => figures?.memoryBytes[line]);
  show('resident_memory', 'VmRSS', 'Memory in RAM');
  show('resident_memory_peak', 'VmHWM', 'Highest memory in RAM since start');
  show('resident_memory_anon', 'RssAnon', 'Memory in RAM that is of no file: heaps and buffers');
  show('resident_memory_file', 'RssFile', 'Memory in RAM that is of files: the program, and LMDB');
  show('resident_memory_shared', 'RssShmem', 'Memory in RAM that is shared');
  show('virtual_memory', 'VmSize', 'Addresses in use');
  show('virtual_memory_peak', 'VmPeak', 'Most addresses in use since start');
}

function createIoMetrics(kernel: MetricSource<ProcessFigures | undefined>): void {
  const count = (what: string, line: IoLine, [unit, help]: readonly [string, string]): void =>
    kernel.counter({ name: `process_io_${what}_total`, unit, help }, (figures) => figures?.io[line]);
  count('read_bytes', 'rchar', ['bytes', 'Bytes read from files and sockets']);
  count('written_bytes', 'wchar', ['bytes', 'Bytes written to files and sockets']);
  count('read_syscalls', 'syscr', ['calls', 'System calls that read']);
  count('write_syscalls', 'syscw', ['calls', 'System calls that write']);
  count('storage_read_bytes', 'read_bytes', ['bytes', 'Bytes read from disks']);
  count('storage_written_bytes', 'write_bytes', ['bytes', 'Bytes sent to disks']);
}

function createPressureMetrics(kernel: MetricSource<ProcessFigures | undefined>): void {
  for (const resource of PRESSED_RESOURCES) {
    const count = (what: string, help: string, value: (pressure: Pressure) => number): void =>
      kernel.counter(
        { name: `process_pressure_${resource}_${what}_seconds_total`, unit: 'seconds', help },
        (figures) => figures?.pressure[resource] && value(figures.pressure[resource]),
      );
    count('waiting', `Time in which a thread waited for ${resource}`, (pressure) => pressure.waitingSeconds);
    count('stalled', `Time in which all threads waited for ${resource}`, (pressure) => pressure.stalledSeconds);
  }
}

function createDeletedFilesMetrics(registry: MetricRegistry, path: string): void {
  const deleted = registry.source(() => deletedFilesHeld(path));
  const show = (name: string, help: string, what: keyof DeletedFiles): void =>
    deleted.gauge({ name, unit: what, help }, (held) => held?.[what]);
  show('tracelith_deleted_files_held', 'Files of the store that were deleted and are still open', 'files');
  show('tracelith_deleted_files_held_bytes', 'Bytes that are free when they are closed', 'bytes');
}
