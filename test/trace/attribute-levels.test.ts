import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ATTRIBUTE_LEVELS, SECTION_LEVELS } from '../../src/trace/attribute-levels.ts';
import * as C from '../../src/block/block-columns.ts';

test('the bytes stored for the levels are those that are documented', () => {
  const page = readFileSync(new URL('../../docs/format/index.md', import.meta.url), 'utf8');
  const documented = ATTRIBUTE_LEVELS.map((level, i) => `${i + 1} ${level}`).join(', ');
  expect(page).toContain(documented);
});

test('the sections of a block have their levels by number', () => {
  expect([C.SECTION_SPANS, C.SECTION_EVENTS, C.SECTION_LINKS].map((section) => SECTION_LEVELS[section])).toEqual([
    'span',
    'event',
    'link',
  ]);
});
