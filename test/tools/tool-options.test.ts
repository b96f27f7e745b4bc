import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readDayPrefix, readKey, readOptions } from '../../src/tools/tool-options.ts';

const OPTIONS = { from: { type: 'string' }, both: { type: 'boolean' } } as const;

test('options have one dash or two, and their value behind = or a blank', () => {
  for (const args of [
    ['--from', 'x', '--both'],
    ['-from=x', '-both'],
    ['--both', '--from=x'],
  ])
    expect({ ...readOptions(args, OPTIONS) }).toEqual({ from: 'x', both: true });
});

test.each([[['--form', 'x']], [['--from']], [['x']], [['--both=1']], [['-f', 'x']]])('%j is refused', (args) => {
  expect(() => readOptions(args, OPTIONS)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
});

test('a day is eight digits or the first of them', () => {
  expect(['20261120', '202611', '', undefined].map(readDayPrefix)).toEqual(['20261120', '202611', '', '']);
  for (const wrong of ['2026-11-20', '202611200', '../x']) expect(() => readDayPrefix(wrong)).toThrow('--day');
});

test('a key is the first line of its file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tracelith-key-'));
  writeFileSync(join(folder, 'key'), 'open sesame\nmore\n');
  expect([readKey(join(folder, 'key')), readKey(undefined)]).toEqual(['open sesame', undefined]);
  expect(() => readKey(join(folder, 'none'))).toThrow(join(folder, 'none'));
  rmSync(folder, { recursive: true });
});
