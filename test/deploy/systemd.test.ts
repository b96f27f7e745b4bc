// The unit of systemd, judged by systemd itself: it is well-formed, its sandbox is tight, and its flags are the program's.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { flagTable } from '../../src/config.ts';
import { hasProgram, run } from '../support/repository-copy.ts';
import { root } from '../support/source-tree.ts';

const unit = join(root, 'deploy/systemd/tracelith.service');

describe.skipIf(!hasProgram('systemd-analyze', '--version'))('by systemd', () => {
  const place = mkdtempSync(join(tmpdir(), 'tracelith-unit-'));
  afterAll(() => rmSync(place, { recursive: true, force: true }));
  beforeAll(() => {
    // A root of its own, in which the program is where the unit says.
    mkdirSync(join(place, 'etc/systemd/system'), { recursive: true });
    mkdirSync(join(place, 'usr/local/bin'), { recursive: true });
    cpSync(unit, join(place, 'etc/systemd/system/tracelith.service'));
    cpSync('/lib/systemd/system', join(place, 'usr/lib/systemd/system'), { recursive: true });
    writeFileSync(join(place, 'usr/local/bin/tracelith'), '#!/bin/sh\n', { mode: 0o755 });
  });

  test('the unit is well-formed', () => {
    expect(
      run(
        place,
        'systemd-analyze',
        'verify',
        '--man=no',
        '--recursive-errors=no',
        `--root=${place}`,
        'tracelith.service',
      ),
    ).toBe('');
  });

  test('its exposure is at most 1.5 of 10', () => {
    const report = run(place, 'systemd-analyze', 'security', '--offline=yes', '--threshold=15', '--no-pager', unit);
    expect(report).toMatch(/Overall exposure level for tracelith.service: (0\.\d|1\.[0-5]) OK/);
  });

  test('its user and folders are made by sysusers and tmpfiles', () => {
    mkdirSync(join(place, 'etc'), { recursive: true });
    run(place, 'systemd-sysusers', `--root=${place}`, join(root, 'deploy/systemd/sysusers.conf'));
    expect(readFileSync(join(place, 'etc/passwd'), 'utf8')).toMatch(
      /^tracelith:.*:\/var\/lib\/tracelith:\/usr\/sbin\/nologin$/m,
    );
    run(place, 'systemd-tmpfiles', '--create', `--root=${place}`, join(root, 'deploy/systemd/tmpfiles.conf'));
    expect(run(place, 'stat', '-c', '%a', 'etc/tracelith')).toBe('750\n');
  });
});

test('every variable of the unit and of its example file is a flag', () => {
  const names = new Set(flagTable.map(({ name }) => `TRACELITH_${name.replaceAll('.', '_')}`));
  const text = [unit, join(root, 'deploy/systemd/tracelith.env')].map((file) => readFileSync(file, 'utf8')).join('\n');
  const used = [...text.matchAll(/^(?:Environment=|#)(TRACELITH_\w+)=/gm)].map(([, name = '']) => name);
  expect(used.length).toBeGreaterThan(3);
  expect(used.filter((name) => !names.has(name))).toEqual([]);
});
