// Shows a tool's progress: a bar that changes in place on a terminal, otherwise a line every few seconds. It checks the
// clock only sometimes, so add() may be called for every block.
import type { Terminal } from './terminal.ts';

/** A bar should move visibly; a log file should get only few lines. */
const BAR_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 5_000;
const BAR_WIDTH = 30;

export class Progress {
  readonly #terminal: Terminal;
  readonly #what: string;
  readonly #totalBytes: number;
  readonly #nowMs: () => number;
  #doneBytes = 0;
  #shownMs: number;
  #isBarShown = false;

  constructor(terminal: Terminal, what: string, totalBytes: number, nowMs: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#what = what;
    this.#totalBytes = totalBytes;
    this.#nowMs = nowMs;
    this.#shownMs = nowMs();
  }

  /** `sizeBytes` more are done, the last of them in `file`. */
  add(sizeBytes: number, file: string): void {
    this.#doneBytes += sizeBytes;
    const nowMs = this.#nowMs();
    const { isInteractive } = this.#terminal;
    if (nowMs - this.#shownMs < (isInteractive ? BAR_INTERVAL_MS : LINE_INTERVAL_MS)) return;
    this.#shownMs = nowMs;
    const share = this.#totalBytes === 0 ? 1 : Math.min(1, this.#doneBytes / this.#totalBytes);
    const percent = `${Math.floor(100 * share)} %`.padStart(5);
    if (!isInteractive) {
      this.#terminal.err(`${this.#what}: ${percent.trim()} of ${formatBytes(this.#totalBytes)}, at ${file}\n`);
      return;
    }
    const bar = '#'.repeat(Math.round(BAR_WIDTH * share)).padEnd(BAR_WIDTH, '.');
    this.#terminal.err(`\r\x1b[K${this.#what} [${bar}] ${percent} of ${formatBytes(this.#totalBytes)}`);
    this.#isBarShown = true;
  }

  /** Removes the bar, so that a line can be printed. */
  clear(): void {
    if (this.#isBarShown) this.#terminal.err('\r\x1b[K');
    this.#isBarShown = false;
  }
}

/** "1.5 MB", powers of 1000. */
export function formatBytes(sizeBytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = sizeBytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
