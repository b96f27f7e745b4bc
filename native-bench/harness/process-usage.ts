// What a process has used, read from Linux's /proc. All threads count. Elsewhere, or without the right to read: undefined.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessUsage {
  /** User plus system time of all threads since the start; resolution 10 ms. */
  readonly cpuMs: number;
  readonly residentBytes: number;
  /** The most it ever was (VmHWM). */
  readonly residentPeakBytes: number;
  /** Bytes it caused to be written to disk; undefined where /proc/<pid>/io may not be read. */
  readonly writtenBytes: number | undefined;
}

// USER_HZ: fixed at 100 in Linux's interface, whatever the kernel's own tick is.
const msPerTick = 10;

export function readUsage(pid: number): ProcessUsage | undefined {
  const stat = readProc(pid, 'stat');
  const status = readProc(pid, 'status');
  if (stat === undefined || status === undefined) return undefined;
  // The second field is the program's name in parentheses and may itself hold spaces: count from the last ')'.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    cpuMs: ticks * msPerTick,
    residentBytes: kibOf(status, 'VmRSS') * 1024,
    residentPeakBytes: kibOf(status, 'VmHWM') * 1024,
    writtenBytes: writtenBytes(pid),
  };
}

function writtenBytes(pid: number): number | undefined {
  const found = /^write_bytes: (\d+)$/m.exec(readProc(pid, 'io') ?? '');
  return found === null ? undefined : Number(found[1]);
}

function kibOf(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? NaN);
}

// A process that is gone or not ours is a fact of measuring, not a fault: its figures are shown as missing.
function readProc(pid: number, file: 'stat' | 'status' | 'io'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

export interface OpenFiles {
  readonly open: number;
  /** Of files that are deleted: their space is not free. */
  readonly deleted: number;
}

/** What /proc/<pid>/fd shows. */
export function readOpenFiles(pid: number): OpenFiles | undefined {
  const directory = `/proc/${pid}/fd`;
  try {
    const targets = readdirSync(directory).map((fd) => readLink(`${directory}/${fd}`));
    return { open: targets.length, deleted: targets.filter((target) => target.endsWith(' (deleted)')).length };
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

/** Empty when it was closed since the folder was read. */
function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}
