// docs/RELIABILITY.md is what its generator makes of the figures in it, and every test it names is there.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { countsFor, countsOf, figuresIn, PROMISES, render } from '../../native-bench/reliability.ts';
import { root } from '../support/source-tree.ts';

test('the page is made of its figures: nothing in it was typed by hand', () => {
  const text = readFileSync(join(root, 'docs/RELIABILITY.md'), 'utf8');
  const figures = figuresIn(text);
  expect(text).toBe(render(figures));
  expect(figures.promises).toHaveLength(PROMISES.length);
});

test('every test that a promise names is there', () => {
  expect(PROMISES.flatMap(({ tests }) => tests).filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('reports are counted by file and folder; a file that ended before its tests is a failure', () => {
  const result = (name: string, ...statuses: string[]): object => ({
    name: `/r/${name}`,
    assertionResults: statuses.map((status) => ({ status })),
  });
  const reports = [
    { testResults: [result('test/a/x.test.ts', 'passed', 'passed', 'skipped'), result('test/ab/y.test.ts')] },
    { testResults: [result('test/a/z.test.ts', 'failed', 'pending')] },
  ] as Parameters<typeof countsOf>[0];
  const counts = countsOf(reports, '/r');
  expect(countsFor(['test/a'], counts)).toEqual({ passed: 2, failed: 1, skipped: 2 });
  expect(countsFor(['test/a/x.test.ts', 'test/ab'], counts)).toEqual({ passed: 2, failed: 1, skipped: 1 });
  expect(countsFor(['test/none'], counts)).toEqual({ passed: 0, failed: 0, skipped: 0 });
  // A later run of a file counts instead of an earlier one; twice in one report is by two projects.
  const again = {
    testResults: [result('test/a/z.test.ts', 'passed'), result('test/a/z.test.ts', 'passed')],
  } as (typeof reports)[0];
  expect(countsFor(['test/a/z.test.ts'], countsOf([...reports, again], '/r'))).toEqual({
    passed: 2,
    failed: 0,
    skipped: 0,
  });
});
