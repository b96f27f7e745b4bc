import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFlagTables } from '../../src/base/flag-page.ts';
import { flagTable } from '../../src/config.ts';
import { root } from '../support/source-tree.ts';

const page = readFileSync(join(root, 'docs', 'CONFIG.md'), 'utf8');

test('docs/CONFIG.md is as node deploy/write-config-page.mjs writes it', () => {
  expect(writeFlagTables(page, flagTable)).toBe(page);
});

test('a flag that is new, gone or changed changes its table alone', () => {
  const [first, ...rest] = flagTable;
  const changed = writeFlagTables(page, [{ ...first!, meaning: 'A | B.' }, ...rest.slice(1)]);
  expect(changed).toContain('| A \\| B. |');
  expect(changed).not.toContain(`| \`-${rest[0]!.name}\` |`);
  expect(writeFlagTables(changed, flagTable)).toBe(page);
});

test('a page without a heading is a bug', () => {
  expect(() => writeFlagTables(page.replace('## Ingest', '## In'), flagTable)).toThrow(/no heading ## Ingest/);
});
