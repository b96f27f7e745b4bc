// A question must not get an end of the log from before it came.
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { LogTail } from '../../src/ingest-log/log-tail.ts';

/** Answers when the test lets it, with what is the end by then. */
class HeldLog {
  readonly partitions = 2;
  end = 0n;
  asked = 0;
  readonly #held: (() => void)[] = [];
  failing = new Set<number>();

  async last(partition: number): Promise<bigint> {
    this.asked++;
    const { end } = this;
    await new Promise<void>((resolve) => this.#held.push(resolve));
    if (this.failing.has(partition)) throw new StoreError('UNAVAILABLE', 'away');
    return end;
  }

  async answer(): Promise<void> {
    // The next asking begins in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
    for (const resolve of this.#held.splice(0)) resolve();
  }
}

test('who comes while others ask waits for the next asking, and all such wait together', async () => {
  const log = new HeldLog();
  const tail = new LogTail(log);
  const first = tail.ends();
  log.end = 7n;
  const [second, third] = [tail.ends(), tail.ends()];
  await log.answer();
  expect((await first).offsets.get(0)).toBe(0n);
  await log.answer();
  expect((await second).offsets).toEqual(
    new Map([
      [0, 7n],
      [1, 7n],
    ]),
  );
  expect(await third).toBe(await second);
  expect(log.asked).toBe(4);
});

test('partitions that do not tell, or not in time, are named', async () => {
  const log = new HeldLog();
  log.failing.add(1);
  const failed = new LogTail(log).ends();
  await log.answer();
  expect(await failed).toEqual({ offsets: new Map([[0, 0n]]), unknown: [1] });
  expect(await new LogTail(log, 1).ends()).toEqual({ offsets: new Map(), unknown: [0, 1] });
  await log.answer();
});
