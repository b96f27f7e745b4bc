import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CHECKS } from '../conformance/checks.ts';
import { countLine } from './conformance-count.ts';
import { root } from './source-tree.ts';

const ids = Object.keys(CHECKS);

test('the line counts green, skipped, red and absent checks, by id', () => {
  const states = new Map(ids.map((id) => [id, 'passed']));
  expect(countLine(states)).toBe('conformance: 99 of 99 checks green');
  states.set('G9', 'skipped').set('H2', 'skipped').set('A1', 'failed').delete('D1');
  expect(countLine(states)).toBe(
    'conformance: 95 of 99 checks green, 2 skipped by name (G9, H2), 1 red (A1), 1 not run (D1)',
  );
});

/** The test file of every check, by id; `cannotCheck` counts as none. */
function filesOfChecks(): Map<string, string> {
  const files = new Map<string, string>();
  for (const file of readdirSync(`${root}/test/conformance`).filter((name) => name.endsWith('.test.ts'))) {
    const text = readFileSync(`${root}/test/conformance/${file}`, 'utf8');
    for (const [, id] of text.matchAll(/\bcheck(?:Group)?\(\s*'(\w+)'/g)) {
      expect([id, files.get(id!)], 'twice').toEqual([id, undefined]);
      files.set(id!, file);
    }
  }
  return files;
}

test('docs/conformance.md says of every check where it is proven, or why not', () => {
  const files = filesOfChecks();
  const lines = readFileSync(`${root}/docs/conformance.md`, 'utf8').split('\n');
  const rows = lines.filter((line) => /^\| [A-H]\d/.test(line)).map((line) => line.slice(2, -2).split(/ \|(?: |$)/));
  expect(rows.map(([id]) => id)).toEqual(ids);
  for (const [id = '', text = '', where, reason = ''] of rows) {
    const file = files.get(id);
    expect(text.replaceAll('\\|', '|')).toBe(CHECKS[id as keyof typeof CHECKS]);
    expect([id, where]).toEqual([
      id,
      file === undefined ? 'not here' : `[${file.replace('.test.ts', '')}](../test/conformance/${file})`,
    ]);
    expect([id, file !== undefined || reason.length > 10]).toEqual([id, true]);
  }
});
