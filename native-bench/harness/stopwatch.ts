// CPU of the steps of a benchmark, round by round: the least of the rounds counts, and the first is shown beside it, in which V8 compiles.
import type { Row } from './report.ts';

interface Sum {
  readonly us: number;
  readonly count: number;
  readonly what: string;
}

export class Stopwatch {
  readonly #rounds: Map<string, Sum>[] = [];

  beginRound(): void {
    this.#rounds.push(new Map());
  }

  /** Runs `work` as a part of `step`; it is about `count` of `what`. */
  time<T>(step: string, count: number, work: () => T, what = 'row'): T {
    const before = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(before);
    const round = this.#rounds.at(-1)!;
    const sum = round.get(step) ?? { us: 0, count: 0 };
    round.set(step, { us: sum.us + user + system, count: sum.count + count, what });
    return result;
  }

  rows(): Row[] {
    const steps = [...(this.#rounds[0]?.keys() ?? [])];
    return steps.map((metric) => {
      const [first, ...others] = this.#rounds.map((round) => {
        const { us, count } = round.get(metric)!;
        return (1000 * us) / count;
      });
      const { what } = this.#rounds[0]!.get(metric)!;
      return { metric, unit: `ns/${what}`, values: { least: Math.min(...others), 'first round': first } };
    });
  }
}
