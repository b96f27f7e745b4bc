// What the rounds of the kill test went through, for a person to see that they met what they should: kills in the middle of
// commits, flushes and merges, torn writes, requests stored without an answer, and how quick the starts after them were.
import type { Load } from './kill-load.ts';

/** Figures of the line a node logs when it is ready. */
export interface ReadyLine {
  readonly parts: number;
  readonly partRows: number;
  readonly logFiles: number;
  readonly logRows: number;
  readonly tornBytes: number;
  readonly damaged: number;
  readonly droppedDays: number;
  readonly recoveredInMs: number;
}

/** Reads the last such line of `log`. */
export function readReadyLine(log: string): ReadyLine {
  const line = log.match(/^.* tracelith is ready .*$/gm)?.at(-1) ?? '';
  const figure = (name: string): number => {
    const value = new RegExp(` ${name}=(\\d+)`).exec(line)?.[1];
    if (value === undefined) throw new Error(`the start line does not say ${name}: ${line}`);
    return Number(value);
  };
  return {
    parts: figure('parts'),
    partRows: figure('partRows'),
    logFiles: figure('logFiles'),
    logRows: figure('logRows'),
    tornBytes: figure('tornBytes'),
    damaged: figure('damaged'),
    droppedDays: figure('droppedDays'),
    recoveredInMs: figure('recoveredInMs'),
  };
}

export class KillTally {
  readonly #counts = {
    requests: 0,
    repeats: 0,
    unanswered: 0,
    /** Unanswered requests that were stored all the same. */
    unansweredStored: 0,
    /** Those of which one day was stored and another was not. */
    unansweredInPart: 0,
    startsWithLog: 0,
    startsWithTornBytes: 0,
    logRowsMax: 0,
  };
  readonly #startMs: number[] = [];
  readonly #recoveredInMs: number[] = [];

  addLoad({ acknowledged, unanswered, repeats }: Load): void {
    this.#counts.requests += acknowledged.length + unanswered.length;
    this.#counts.unanswered += unanswered.length;
    this.#counts.repeats += repeats;
  }

  /** An unanswered request: for each of its days, whether it was stored. */
  addUnanswered(days: readonly boolean[]): void {
    if (!days.includes(true)) return;
    this.#counts.unansweredStored++;
    if (days.includes(false)) this.#counts.unansweredInPart++;
  }

  /** A start that took `startMs` from spawn to ready; gives it as text. */
  addStart(ready: ReadyLine, startMs: number): string {
    const { logRows, logFiles, tornBytes, partRows, parts, recoveredInMs } = ready;
    if (logRows > 0) this.#counts.startsWithLog++;
    if (tornBytes > 0) this.#counts.startsWithTornBytes++;
    this.#counts.logRowsMax = Math.max(this.#counts.logRowsMax, logRows);
    this.#startMs.push(startMs);
    this.#recoveredInMs.push(recoveredInMs);
    const found = `${partRows} rows in ${parts} parts and ${logRows} in ${logFiles} logs, ${tornBytes} bytes torn`;
    return `ready after ${Math.round(startMs)} ms (recovery ${recoveredInMs}) with ${found}`;
  }

  text(): string {
    const times = `ready after ${spread(this.#startMs)} ms, recovery itself ${spread(this.#recoveredInMs)} ms`;
    return `${JSON.stringify(this.#counts)}; ${times}`;
  }
}

function spread(values: readonly number[]): string {
  const ordered = values.map(Math.round).sort((a, b) => a - b);
  return `${ordered[ordered.length >> 1]} (at most ${ordered.at(-1)})`;
}
