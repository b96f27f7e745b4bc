// Garbage collection frees buffers, and only new objects trigger it: an idle thread would keep a spike's memory for
// ever, and one that sends large answers has many of them waiting for it. So a thread that becomes idle collects once if
// that frees enough, and one that is done with large buffers counts them.

/** Buffers of an idle thread: 16 MiB of caches and pools were measured. Also what a busy thread may leave uncollected. */
const BUFFERS_KEPT_BYTES: number = 32 << 20;
/** Buffers that a busy thread may have gained, uncollected ones among them, since its last full collection. */
const OLD_BUFFERS_BYTES: number = 48 << 20;

/** After this long without work, a thread is idle. */
const IDLE_MS = 10_000;

/** Collects once the calling thread has been idle; its refresh() says that there is work. */
export function collectWhenIdle(): NodeJS.Timeout {
  return setTimeout(collectIdle, IDLE_MS).unref();
}

/** Takes some 10 ms. Does nothing without --expose-gc (deploy/tracelith sets it). */
export function collectIdle(): void {
  if (process.memoryUsage().arrayBuffers > BUFFERS_KEPT_BYTES) globalThis.gc?.();
}

/**
 * Counts the large buffers that a busy thread is done with, and collects before they add up. Most of them are young: a minor
 * collection frees them in a millisecond or two. A full one stops the thread for tens of milliseconds, which a query would
 * wait for, so it follows only when old buffers have added up.
 */
export class SpentBuffers {
  #bytes = 0;
  /** Buffers that the last full collection left: caches, answers under way. */
  #leftBytes = 0;

  /** `bytes` of buffers are referenced no longer, or soon. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < BUFFERS_KEPT_BYTES) return;
    this.#bytes = 0;
    const { gc } = globalThis;
    if (gc === undefined) return;
    gc({ type: 'minor', execution: 'sync' });
    if (process.memoryUsage().arrayBuffers - this.#leftBytes < OLD_BUFFERS_BYTES) return;
    gc();
    this.#leftBytes = process.memoryUsage().arrayBuffers;
  }
}
