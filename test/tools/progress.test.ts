// Progress: a bar in place on a terminal, a line now and then elsewhere, nothing for what is quick.
import { expect, test } from 'vitest';
import { formatBytes, Progress } from '../../src/tools/progress.ts';

function watch(isInteractive: boolean): { lines: string[]; progress: Progress; advance: (ms: number) => void } {
  const lines: string[] = [];
  let nowMs = 0;
  const err = (text: string): void => void lines.push(text);
  const progress = new Progress({ out: err, err, isInteractive }, 'verify', 200, () => nowMs);
  return { lines, progress, advance: (ms) => (nowMs += ms) };
}

test('elsewhere than on a terminal there is a line every five seconds', () => {
  const { lines, progress, advance } = watch(false);
  progress.add(50, 'a');
  advance(5_000);
  progress.add(50, 'b');
  progress.add(50, 'c');
  progress.clear();
  expect(lines).toEqual(['verify: 50 % of 200 B, at b\n']);
});

test('on a terminal there is a bar, never above 100 %, which goes before a line is printed', () => {
  const { lines, progress, advance } = watch(true);
  progress.clear();
  advance(100);
  progress.add(100, 'a');
  advance(100);
  progress.add(300, 'b');
  progress.clear();
  progress.clear();
  expect(lines).toHaveLength(3);
  expect(lines[0]).toContain(`[${'#'.repeat(15)}${'.'.repeat(15)}]  50 % of 200 B`);
  expect(lines[1]).toContain('100 %');
  expect(lines[2]).toBe('\r\x1b[K');
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_500, '1.5 kB'],
  [2_000_000, '2.0 MB'],
  [3.21e12, '3.2 TB'],
  [5e15, '5000.0 TB'],
])('%d bytes are %s', (sizeBytes, text) => expect(formatBytes(sizeBytes)).toBe(text));
