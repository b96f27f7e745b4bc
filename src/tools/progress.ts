// Shows a tool's progress: a bar that changes in place on a terminal, otherwise a line every few seconds. It checks the
// clock only sometimes, so add() may be called for every block.
import type { Terminal } from './terminal.ts';

/** A bar should move visibly; a log file should get only few lines. */
const BAR_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 5_000;
const BAR_WIDTH = 30;

/** Work of unknown size: says now and then what it is at. */
export class Ticker {
  readonly #terminal: Terminal;
  readonly #what: string;
  readonly #nowMs: () => number;
  #shownMs: number;
  #isLineShown = false;

  constructor(terminal: Terminal, what: string, nowMs: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#what = what;
    this.#nowMs = nowMs;
    this.#shownMs = nowMs();
  }

  /** `text` is made only if it is shown. */
  tell(text: string | ((isInteractive: boolean) => string)): void {
    const nowMs = this.#nowMs();
    const { isInteractive, err } = this.#terminal;
    if (nowMs - this.#shownMs < (isInteractive ? BAR_INTERVAL_MS : LINE_INTERVAL_MS)) return;
    this.#shownMs = nowMs;
    const shown = `${this.#what}${typeof text === 'string' ? `: ${text}` : text(isInteractive)}`;
    err(isInteractive ? `\r\x1b[K${shown}` : `${shown}\n`);
    this.#isLineShown = isInteractive;
  }

  /** Removes the line, so that another can be printed. */
  clear(): void {
    if (this.#isLineShown) this.#terminal.err('\r\x1b[K');
    this.#isLineShown = false;
  }
}

/** Work of known size: a bar. */
export class Progress {
  readonly #totalBytes: number;
  readonly #ticker: Ticker;
  #doneBytes = 0;

  constructor(terminal: Terminal, what: string, totalBytes: number, nowMs?: () => number) {
    this.#totalBytes = totalBytes;
    this.#ticker = new Ticker(terminal, what, nowMs);
  }

  /** `sizeBytes` more are done, the last of them in `file`. */
  add(sizeBytes: number, file: string): void {
    this.#doneBytes += sizeBytes;
    this.#ticker.tell((isInteractive) => {
      const share = this.#totalBytes === 0 ? 1 : Math.min(1, this.#doneBytes / this.#totalBytes);
      const percent = `${Math.floor(100 * share)} %`;
      const total = formatBytes(this.#totalBytes);
      const bar = '#'.repeat(Math.round(BAR_WIDTH * share)).padEnd(BAR_WIDTH, '.');
      return isInteractive ? ` [${bar}] ${percent.padStart(5)} of ${total}` : `: ${percent} of ${total}, at ${file}`;
    });
  }

  /** Removes the bar, so that a line can be printed. */
  clear(): void {
    this.#ticker.clear();
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
