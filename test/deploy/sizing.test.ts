// The calculator of docs/operations/sizing.md: what the page shows is what it prints, and a wrong option is refused.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/source-tree.ts';

const [, command = '', shown = ''] =
  /^```\n\$ node (deploy\/sizing\.mjs .*)\n([^`]*)```$/m.exec(
    readFileSync(join(root, 'docs/operations/sizing.md'), 'utf8'),
  ) ?? [];

function size(...args: readonly string[]): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 60_000 });
}

test('prints what docs/operations/sizing.md shows', () => {
  expect(shown).not.toBe('');
  expect(size(...command.split(' '))).toMatchObject({ status: 0, stdout: shown, stderr: '' });
});

test.each([
  [['--spans-per-second', '0'], /--spans-per-second 0: expected a number above 0/],
  [['--spans-per-second', '5000', '--retention-days', 'week'], /--retention-days week: expected a number above 0/],
  [['--spans-per-second', '5000', '--replicas', '2'], /--replicas/],
])('refuses %s', (args, told) => {
  const { status, stdout, stderr } = size('deploy/sizing.mjs', ...args);
  expect([status, stdout, told.test(stderr)], stderr).toEqual([2, '', true]);
});

test('without a rate says what it takes', () => {
  const usage = expect.stringContaining('--bytes-per-span B') as string;
  expect(size('deploy/sizing.mjs')).toMatchObject({ status: 2, stdout: usage, stderr: '' });
  expect(size('deploy/sizing.mjs', '--help')).toMatchObject({ status: 0, stdout: usage, stderr: '' });
});

test('wants disk for a day more than the retention, and a fifth for merges', () => {
  const { stdout } = size(
    'deploy/sizing.mjs',
    ...'--spans-per-second 1000 --retention-days 9 --bytes-per-span 10'.split(' '),
  );
  // 1,000 spans of 10 bytes a second for 10 days are 8.64 GB.
  expect(stdout).toMatch(/^disk +10\.4 GB  8\.64 GB stored/m);
});
