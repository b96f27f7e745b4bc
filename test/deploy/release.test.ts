// The release: the same commit gives the same bytes, in another folder and at another time; the files say what they are, and a
// bundle runs on the Node that it brings.
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendTo } from '../support/node-client.ts';
import { startNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { copyRepository, run, version } from '../support/repository-copy.ts';
import { root } from '../support/source-tree.ts';

interface LockFile {
  readonly version: string;
  readonly packages: Readonly<Record<string, { readonly version: string; readonly dev?: true; readonly link?: true }>>;
}

function lockOf(path: string): LockFile {
  return JSON.parse(readFileSync(path, 'utf8')) as LockFile;
}

const TIME = 1_800_000_000;
const folder = mkdtempSync(join(tmpdir(), 'tracelith-release-'));
const copies = ['first', 'second'].map((name) => join(folder, name));
const outputs = copies.map((copy) => join(copy, 'release'));

function build(copy: string, ...options: string[]): void {
  run(
    copy,
    'env',
    `SOURCE_DATE_EPOCH=${TIME}`,
    'node',
    'deploy/release/release.mjs',
    'build',
    '--out',
    join(copy, 'release'),
    ...options,
  );
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a build', () => {
  beforeAll(() => {
    for (const copy of copies) {
      copyRepository(copy);
      build(copy, '--platforms=');
    }
  }, 300_000);

  test('gives the same bytes twice', () => {
    const [first = [], second = []] = outputs.map((output) =>
      readdirSync(output)
        .sort()
        .map((name) => [
          name,
          createHash('sha256')
            .update(readFileSync(join(output, name)))
            .digest('hex'),
        ]),
    );
    expect(first.map(([name]) => name)).toEqual([
      'RELEASE_NOTES.md',
      'SHA256SUMS',
      `tracelith-${version}.cdx.json`,
      `tracelith-${version}.tgz`,
      `tracelith-cluster-${version}.chart.tgz`,
      `tracelith-single-${version}.chart.tgz`,
    ]);
    expect(second).toEqual(first);
  });

  test('has checksums that sha256sum accepts', () => {
    expect(run(outputs[0] ?? '', 'sha256sum', '--check', '--strict', '--quiet', 'SHA256SUMS')).toBe('');
  });

  test('has a bill of materials with every production dependency, and none of the development', () => {
    const text = readFileSync(join(outputs[0] ?? '', `tracelith-${version}.cdx.json`), 'utf8');
    const bill = JSON.parse(text) as {
      components: { name: string; version: string }[];
      metadata: { timestamp: string; component: object };
    };
    const { packages } = lockOf(join(copies[0] ?? '', 'package-lock.json'));
    const needed = Object.entries(packages).filter(
      ([path, { dev, link }]) => /node_modules\//.test(path) && !dev && !link,
    );
    const nameOf = (path: string): string => path.replace(/^.*node_modules\//, '');
    const expected = new Set(needed.map(([path, { version }]) => `${nameOf(path)}@${version}`));
    expect(new Set(bill.components.map(({ name, version }) => `${name}@${version}`))).toEqual(expected);
    expect(bill.metadata.component).toMatchObject({ name: 'tracelith', version });
    expect(bill.metadata.timestamp).toBe(new Date(TIME * 1000).toISOString());
  });

  test('has the notes of its version alone', () => {
    const notes = readFileSync(join(outputs[0] ?? '', 'RELEASE_NOTES.md'), 'utf8');
    expect(notes).toContain(`## ${version} (`);
    expect(notes.match(/^## /gm)).toHaveLength(1);
  });
});

test('a version is set everywhere at once, and one without a changelog is refused', () => {
  const copy = join(folder, 'prepared');
  copyRepository(copy);
  expect(() => run(copy, 'node', 'deploy/release/release.mjs', 'prepare', '9.9.9')).toThrow(
    /CHANGELOG.md: has no "## 9.9.9 \(unreleased\)"/,
  );
  run(copy, 'node', 'deploy/release/release.mjs', 'prepare', version);
  expect(readFileSync(join(copy, 'CHANGELOG.md'), 'utf8')).toMatch(
    new RegExp(`^## ${version.replaceAll('.', '\\.')} \\(\\d{4}-\\d\\d-\\d\\d\\)$`, 'm'),
  );
});

test('a bundle needs no Node: it brings its own', async () => {
  const copy = join(folder, 'bundled');
  copyRepository(copy);
  const platform = `linux-${process.arch}`;
  build(copy, `--platforms=${platform}`);
  const name = `tracelith-${version}-${platform}`;
  run(folder, 'tar', 'xzf', join(copy, 'release', `${name}.tar.gz`));
  const locked = Object.entries(lockOf(join(copy, 'package-lock.json')).packages);
  const wrong = locked.flatMap(([path, { version }]) => {
    const file = join(folder, name, 'lib', path, 'package.json');
    return path !== '' && existsSync(file) && lockOf(file).version !== version ? [path] : [];
  });
  expect(wrong, 'another version than the lock file has').toEqual([]);
  expect(readdirSync(join(folder, name, 'share/systemd')).sort()).toEqual(
    readdirSync(join(root, 'deploy/systemd')).sort(),
  );
  await using node = await startNode({
    program: join(folder, name, 'bin/tracelith'),
    through: ['env', 'PATH=/usr/bin:/bin', `HOME=${folder}`],
  });
  await sendTo(node, oneSpan(1));
  expect(readFileSync(`/proc/${node.pid}/cmdline`, 'utf8')).toContain(join(folder, name, 'libexec/node'));
}, 300_000);
