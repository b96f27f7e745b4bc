// Garbage collection frees buffers, and only new objects trigger it: an idle thread would keep a spike's memory for
// ever, and one that sends large answers has many of them waiting for it. So a thread that becomes idle collects once if
// that frees enough, and one that is done with large buffers counts them.

/** Buffers of an idle thread: 16 MiB of caches and pools were measured. Also what a busy thread may leave uncollected. */
const BUFFERS_KEPT_BYTES: number = 32 << 20;

/** Takes some 10 ms. Does nothing without --expose-gc (deploy/tracelith sets it). */
export function collectIdle(): void {
  if (process.memoryUsage().arrayBuffers > BUFFERS_KEPT_BYTES) globalThis.gc?.();
}

/** Counts the large buffers that a busy thread is done with, and collects before they add up. */
export class SpentBuffers {
  #bytes = 0;

  /** `bytes` of buffers are referenced no longer, or soon. As costly as collectIdle, once for every BUFFERS_KEPT_BYTES. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < BUFFERS_KEPT_BYTES) return;
    this.#bytes = 0;
    globalThis.gc?.();
  }
}
