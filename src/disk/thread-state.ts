// Thread ids and states of this process from /proc (Linux); on other systems they are unknown.
import { readFileSync, readlinkSync } from 'node:fs';

/** The calling thread's id; 0: not known. */
export function ownThreadId(): number {
  try {
    // <pid>/task/<tid>
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  } catch {
    // The system has no /proc.
    return 0;
  }
}

/** True if the thread waits for a device (state D). It can do nothing else meanwhile, not even end. */
export function waitsForDisk(threadId: number): boolean {
  if (threadId === 0) return false;
  try {
    // Format: tid (name) state …; a name may contain parentheses.
    return readFileSync(`/proc/self/task/${threadId}/stat`, 'latin1').split(') ').at(-1)?.[0] === 'D';
  } catch {
    // The system has no /proc, or the thread has ended.
    return false;
  }
}
