// The data directory is its user's alone.
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { closeToOthers, createPrivately } from '../../src/disk/private-folder.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

test('a folder of this user is closed to others, and left alone when it is', () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'data');
  expect(closeToOthers(path)).toBe(true);
  mkdirSync(path);
  for (const [before, after] of [
    [0o755, '700'],
    [0o2775, '2700'],
    [0o700, '700'],
    [0o500, '500'],
  ] as const) {
    chmodSync(path, before);
    expect(closeToOthers(path)).toBe(true);
    expect(modeOf(path)).toBe(after);
  }
});

test('what the disk creates is private under any umask', () => {
  using folder = new TemporaryFolder();
  const before = process.umask(0);
  try {
    const dir = join(folder.path, 'a', 'b');
    nodeDisk.makeDir(dir);
    nodeDisk.createFile(join(dir, 'file')).close();
    void nodeDisk.openAppend(join(dir, 'log')).close();
    expect([join(folder.path, 'a'), dir, join(dir, 'file'), join(dir, 'log')].map(modeOf)).toEqual([
      '700',
      '700',
      '600',
      '600',
    ]);
    createPrivately();
    expect(process.umask()).toBe(0o077);
  } finally {
    process.umask(before);
  }
});
