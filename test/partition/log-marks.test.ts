// Marks promise what was acknowledged at least: any harm to them makes them promise less.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { LogMarks, MARKS_SUFFIX, readMarks } from '../../src/partition/log-marks.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const identity = newIdentity();

function written(folder: string, ends: readonly number[]): string {
  const log = join(folder, 'a.log');
  const marks = new LogMarks(nodeDisk, log, identity);
  for (const end of ends) marks.add(end);
  marks.close();
  return log;
}

test('the last mark counts; where there is none nothing is told', () => {
  using folder = new TemporaryFolder();
  expect(readMarks(nodeDisk, join(folder.path, 'a.log'), identity)).toBeUndefined();
  expect(readMarks(nodeDisk, written(folder.path, [100, 250, 2 ** 40]), identity)).toBe(2 ** 40);
});

test('every flip and cut of them tells an end that was acknowledged, or none', () => {
  using folder = new TemporaryFolder();
  const ends = [100, 250, 900];
  const log = written(folder.path, ends);
  const bytes = readFileSync(log + MARKS_SUFFIX);
  for (let at = 0; at < bytes.length; at++) {
    for (const harmed of [bytes.subarray(0, at), bytes.with(at, bytes[at]! ^ 4)]) {
      writeFileSync(log + MARKS_SUFFIX, harmed);
      expect([undefined, ...ends]).toContain(readMarks(nodeDisk, log, identity));
    }
  }
  writeFileSync(log + MARKS_SUFFIX, bytes);
  appendFileSync(log + MARKS_SUFFIX, 'noise that is longer than a mark');
  expect([900, undefined]).toContain(readMarks(nodeDisk, log, identity));
});

test('those of another log say nothing', () => {
  using folder = new TemporaryFolder();
  expect(readMarks(nodeDisk, written(folder.path, [100]), newIdentity())).toBeUndefined();
});

test('a disk that refuses them fails nobody', () => {
  const createFile = (): never => {
    throw new StoreError('DISK', 'full');
  };
  const marks = new LogMarks({ ...nodeDisk, createFile }, '/nowhere', identity);
  marks.add(1);
  marks.close();
});
