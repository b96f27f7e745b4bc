// The threads of this process as the kernel sees them (Linux); elsewhere none.
import { readdirSync, readFileSync } from 'node:fs';

export interface ListedThread {
  readonly id: number;
  /** Of V8, libuv or a worker, cut by the kernel to 15 characters. */
  readonly name: string;
  /** R running, S sleeping, D waiting for a device. */
  readonly state: string;
  readonly cpuSeconds: number;
}

const TASKS = '/proc/self/task';
/** Linux's USER_HZ, on every platform that Node runs on. */
const TICKS_PER_SECOND = 100;

/** By CPU time, most first. */
export function listThreads(): ListedThread[] {
  const found = taskIds().flatMap((id) => {
    const thread = readThread(id);
    return thread === undefined ? [] : [thread];
  });
  return found.toSorted((a, b) => b.cpuSeconds - a.cpuSeconds);
}

function taskIds(): string[] {
  try {
    return readdirSync(TASKS);
  } catch {
    // The system has no /proc.
    return [];
  }
}

function readThread(id: string): ListedThread | undefined {
  try {
    // Format: tid (name) state …; a name may contain parentheses.
    const text = readFileSync(`${TASKS}/${id}/stat`, 'latin1');
    const nameEnd = text.lastIndexOf(')');
    const fields = text.slice(nameEnd + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const name = text.slice(text.indexOf('(') + 1, nameEnd);
    return { id: Number(id), name, state: fields[0] ?? '', cpuSeconds: ticks / TICKS_PER_SECOND };
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}
