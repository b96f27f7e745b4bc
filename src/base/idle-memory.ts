// Garbage collection frees buffers, and only new objects trigger it: an idle thread would keep a spike's memory for
// ever. So a thread that becomes idle collects once if that frees enough.

/** Buffers of an idle thread: 16 MiB of caches and pools were measured. */
const BUFFERS_KEPT_BYTES: number = 32 << 20;

/** Takes some 10 ms. Does nothing without --expose-gc (deploy/tracelith sets it). */
export function collectIdle(): void {
  if (process.memoryUsage().arrayBuffers > BUFFERS_KEPT_BYTES) globalThis.gc?.();
}
