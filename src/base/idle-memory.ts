// Buffers are freed when garbage is collected, and that happens when objects are made: a thread with nothing to do would keep
// what a spike took for ever. So a thread that has become idle collects once, where there is something to win.

/** Buffers of a thread that is idle anyway: 16 MiB of caches and pools were measured. */
const BUFFERS_KEPT_BYTES: number = 32 << 20;

/** Some 10 ms of work. Without --expose-gc (deploy/tracelith has it) nothing happens. */
export function collectIdle(): void {
  if (process.memoryUsage().arrayBuffers > BUFFERS_KEPT_BYTES) globalThis.gc?.();
}
