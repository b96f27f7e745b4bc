// What the system knows of a thread of this process, where it has /proc (Linux); elsewhere nothing is known.
import { readFileSync, readlinkSync } from 'node:fs';

/** The calling thread's id; 0: not known. */
export function ownThreadId(): number {
  try {
    // <pid>/task/<tid>
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  } catch {
    // No such system.
    return 0;
  }
}

/** Does the thread wait for a device (state D)? It can do nothing else meanwhile, not even end. */
export function waitsForDisk(threadId: number): boolean {
  if (threadId === 0) return false;
  try {
    // tid (name) state …; a name may have parentheses.
    return readFileSync(`/proc/self/task/${threadId}/stat`, 'latin1').split(') ').at(-1)?.[0] === 'D';
  } catch {
    // No such system, or no such thread any more.
    return false;
  }
}
