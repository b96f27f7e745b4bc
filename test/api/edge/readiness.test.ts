import { expect, test } from 'vitest';
import { Readiness } from '../../../src/api/edge/readiness.ts';
import { FakeReadiness } from '../../support/fake-readiness.ts';

const STOPPED = 'the server is starting or closing, or its store does not answer';

test('a process answers from the beginning to the close, but wants requests only until it leaves', async () => {
  const readiness = new Readiness({ isAlive: () => true, refusalOf: async () => undefined });
  const states: unknown[] = [];
  const look = async (): Promise<void> => {
    states.push([readiness.isAnswering, readiness.isReady, await readiness.refusalOf(['insert', 'select'])]);
  };
  await look();
  readiness.begin();
  await look();
  readiness.leave();
  await look();
  readiness.close();
  await look();
  expect(states).toEqual([
    [false, false, STOPPED],
    [true, true, undefined],
    [true, false, STOPPED],
    [false, false, STOPPED],
  ]);
});

test('a process that reaches no storage node answers, and serves nothing', () => {
  let isReachable = false;
  const readiness = new Readiness({
    isAlive: () => true,
    isReachable: () => isReachable,
    refusalOf: async () => undefined,
  });
  expect([readiness.isAnswering, readiness.isServing]).toEqual([false, false]);
  readiness.begin();
  expect([readiness.isAnswering, readiness.isServing]).toEqual([true, false]);
  isReachable = true;
  expect(readiness.isServing).toBe(true);
  readiness.leave();
  expect([readiness.isAnswering, readiness.isServing]).toEqual([true, false]);
});

test('a refused duty does not touch the other one', async () => {
  const { readiness, refusals } = new FakeReadiness();
  refusals.insert = 'full';
  expect(await readiness.refusalOf(['insert'])).toBe('full');
  expect(await readiness.refusalOf(['select'])).toBeUndefined();
  expect(await readiness.refusalOf(['select', 'insert'])).toBe('full');
});

test('a store that cannot answer, or ends while it is asked, makes the process not ready', async () => {
  const dead = new FakeReadiness();
  dead.isReady = false;
  expect([dead.readiness.isAnswering, await dead.readiness.refusalOf(['select'])]).toEqual([false, STOPPED]);
  const dying = new Readiness({
    isAlive: () => true,
    refusalOf: async () => Promise.reject(new Error('it has ended')),
  });
  dying.begin();
  expect(await dying.refusalOf(['insert'])).toBe('Error: it has ended');
});
