// Files that are taken up when they change.
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { watchFiles } from '../../src/disk/watched-files.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

test('each change is taken once, and what is wrong is reported once', () => {
  using folder = new TemporaryFolder();
  const [a, b] = ['a', 'b'].map((name) => join(folder.path, name)) as [string, string];
  writeFileSync(a, '1');
  writeFileSync(b, '2');
  const taken: string[] = [];
  const errors: unknown[] = [];
  using watch = watchFiles({
    paths: [a, b],
    onChange: (texts) => {
      if (texts.includes('bad')) throw new Error('bad');
      taken.push(texts.join());
    },
    onError: (error) => errors.push(error),
    lookMs: 3_600_000,
  });
  watch.look();
  expect(taken).toEqual(['1,2']);
  writeFileSync(b, '3');
  watch.look();
  watch.look();
  expect(taken).toEqual(['1,2', '1,3']);
  writeFileSync(b, 'bad');
  watch.look();
  watch.look();
  rmSync(b);
  watch.look();
  watch.look();
  expect(taken).toHaveLength(2);
  expect(errors.map(String)).toEqual(['Error: bad', expect.stringContaining('ENOENT')]);
  writeFileSync(b, '3');
  watch.look();
  expect(taken).toEqual(['1,2', '1,3', '1,3']);
});

test('a swapped link is a change, as Kubernetes swaps mounted secrets', () => {
  using folder = new TemporaryFolder();
  for (const version of ['1', '2']) {
    mkdirSync(join(folder.path, version));
    writeFileSync(join(folder.path, version, 'file'), version);
  }
  const link = join(folder.path, 'data');
  symlinkSync('1', link);
  const taken: string[] = [];
  using watch = watchFiles({
    paths: [join(link, 'file')],
    onChange: ([text = '']) => void taken.push(text),
    onError: () => undefined,
  });
  symlinkSync('2', `${link}.new`);
  renameSync(`${link}.new`, link);
  watch.look();
  expect(taken).toEqual(['1', '2']);
});

test('it looks by itself, and throws at once what is wrong at the beginning', async () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'a');
  const taken: string[] = [];
  const options = { paths: [path], onChange: ([text = '']: readonly string[]) => void taken.push(text) };
  expect(() => watchFiles({ ...options, onError: () => undefined })).toThrow('ENOENT');
  writeFileSync(path, '1');
  using _watch = watchFiles({ ...options, onError: () => undefined, lookMs: 5 });
  writeFileSync(path, '2');
  await expect.poll(() => taken.at(-1)).toBe('2');
});
