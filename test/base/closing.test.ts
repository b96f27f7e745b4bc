import { describe, expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { Closing } from '../../src/base/closing.ts';

describe('Closing', () => {
  test('what was opened last is closed first, one after the other', async () => {
    const closing = new Closing();
    const events: string[] = [];
    for (const name of ['disk', 'storage', 'server']) {
      closing.add(name, async () => {
        events.push(`${name} begins`);
        await Promise.resolve();
        events.push(`${name} ends`);
      });
    }
    await closing.close();
    expect(events).toEqual([
      'server begins',
      'server ends',
      'storage begins',
      'storage ends',
      'disk begins',
      'disk ends',
    ]);
  });

  test('each closer runs once, however often and concurrently close is called', async () => {
    const closing = new Closing();
    let count = 0;
    closing.add('once', () => void count++);
    await Promise.all([closing.close(), closing.close()]);
    await closing.close();
    expect(count).toBe(1);
  });

  test('a failing closer does not stop the others, and all failures come out in one error', async () => {
    const closing = new Closing();
    const closed: string[] = [];
    const broken = new Error('broken pipe');
    closing.add('disk', () => void closed.push('disk'));
    closing.add('server', () => Promise.reject(broken));
    closing.add('timer', () => {
      throw new Error('no such timer');
    });
    const error: unknown = await closing.close().then(
      () => undefined,
      (failure: unknown) => failure,
    );
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).errors).toEqual([new Error('no such timer'), broken]);
    expect((error as AggregateError).message).toBe('could not close timer: no such timer; server: broken pipe');
    expect(closed).toEqual(['disk']);
    await expect(closing.close()).rejects.toBe(error);
  });

  test('a closer added while closing runs before the ones below it', async () => {
    const closing = new Closing();
    const closed: string[] = [];
    closing.add('disk', () => void closed.push('disk'));
    closing.add('server', () => {
      closed.push('server');
      closing.add('late', () => void closed.push('late'));
    });
    await closing.close();
    expect(closed).toEqual(['server', 'late', 'disk']);
  });

  test('a closer added after everything was closed is a bug', async () => {
    const closing = new Closing();
    await closing.close();
    expect(() => closing.add('late', () => undefined)).toThrow(BugError);
  });

  test('`await using` closes at the end of the block, also when the block throws', async () => {
    const closed: string[] = [];
    const run = async (): Promise<void> => {
      await using closing = new Closing();
      closing.add('disk', () => void closed.push('disk'));
      throw new Error('block failed');
    };
    await expect(run()).rejects.toThrow('block failed');
    expect(closed).toEqual(['disk']);
  });
});
