// The lines that say what a run has left out, and that every file that may skip tests has a reason.
import { expect, test } from 'vitest';
import { crashLines, SKIP_REASONS, skippedLines, startLines } from './left-out.ts';
import { listFiles, readSource } from './source-tree.ts';

test('what was skipped is counted by file, with the reason', () => {
  expect(skippedLines(new Map())).toEqual([]);
  const skipped = new Map([
    ['test/system/backup.test.ts', 9],
    ['test/index/disk-full.test.ts', 1],
  ]);
  expect(skippedLines(skipped)).toEqual([
    'skipped: 10 tests',
    '  1 in test/index/disk-full.test.ts: needs prlimit',
    '  9 in test/system/backup.test.ts: needs rsync and curl',
  ]);
});

test('a run says first what it does', () => {
  const [title, ...lines] = startLines(
    new Map([
      ['unit', 300],
      ['conformance', 12],
    ]),
  );
  expect(title).toMatch(/^tests, about 9 minutes on two cores/);
  expect(lines).toEqual([
    '  unit: 300 files, functions and modules, in one process',
    "  conformance: 12 files, what Jaeger's clients ask, check by check",
  ]);
});

test('every file that may skip a test has a reason, and no other has', () => {
  const mayskip = /\.(skipIf|runIf|skip|todo)\b\s*\(|\bcanRun:|\bcannotCheck\(|\.(skip|todo)\./;
  const files = listFiles('test', '.test.ts').filter((path) => mayskip.test(readSource(path).code));
  const own = ['test/bytes/byte-reader.test.ts', 'test/support/left-out.test.ts'];
  expect(files.filter((path) => !own.includes(path)).sort()).toEqual(Object.keys(SKIP_REASONS).sort());
});

test('the crash tests are named with what they are', () => {
  const [title, ...lines] = crashLines();
  expect(title).toBe('left to npm run test:crash:');
  expect(lines).toEqual(expect.arrayContaining([expect.stringMatching(/^ {2}kill\.test\.ts: .*kill -9/)]));
  for (const line of lines) expect(line).toMatch(/^ {2}[a-z-]+\.test\.ts: [A-Z].*\.$/);
});
