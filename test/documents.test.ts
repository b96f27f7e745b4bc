// What the documents name is there: files in code spans, flags of the program, metrics. Decisions and the changelog tell of other days.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { flagTable } from '../src/config.ts';
import { listFiles, root } from './support/source-tree.ts';

const pages = [
  ...listFiles('docs', '.md').filter((path) => !path.startsWith('docs/decisions/')),
  ...listFiles('deploy', '.md'),
  ...listFiles('native-bench', '.md'),
  'README.md',
  'CONTRIBUTING.md',
].map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

/** Flags of other programs, by the page that names them. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  'README.md': ['remoteWrite.url'],
  'docs/operations/access.md': ['scopes', 'tenants', 'days'],
  'docs/operations/cluster.md': ['remoteWrite.url'],
  'docs/operations/migration.md': ['remoteWrite.url', 'servicegraph.enableTask'],
};

/** What `pattern` finds in the text of each page and `isThere` does not know, as page: text. */
function unknown(pattern: RegExp, isThere: (found: string, path: string) => boolean): string[] {
  return pages.flatMap(({ path, text }) => {
    const found = Array.from(text.matchAll(pattern), (match) => match.slice(1).find((group) => group !== undefined)!);
    return found.filter((one) => !isThere(one, path)).map((one) => `${path}: ${one}`);
  });
}

test('every page for users is in the index', () => {
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
  const own = pages.map(({ path }) => path).filter((path) => /^docs\/(operations\/)?[^/]+\.md$/.test(path));
  expect(own.filter((path) => path !== 'docs/README.md' && !index.includes(`(${path.slice('docs/'.length)})`))).toEqual(
    [],
  );
});

test('a decision has its number alone', () => {
  const numbers = listFiles('docs/decisions', '.md').map((path) => /(\d{4})-[^/]+$/.exec(path)?.[1] ?? path);
  expect(numbers.filter((number, i) => numbers.indexOf(number) !== i)).toEqual([]);
});

test('files', () => {
  const named = /`((?:src|test|deploy|docs|native-bench|fixtures)\/[\w./-]+)`/g;
  expect(unknown(named, (file) => existsSync(join(root, file)))).toEqual([]);
});

test('flags', () => {
  const flags = new Set(flagTable.map(({ name }) => name));
  // -name=value anywhere, `-name` as a code span; not --name of other programs' long options.
  const named = /(?<![\w.-])-([a-z][A-Za-z]+(?:\.[A-Za-z]+)*)=|`-([a-z][A-Za-z]{2,}(?:\.[A-Za-z]+)*)`/g;
  const isThere = (flag: string, path: string): boolean =>
    flags.has(flag) || flag === 'name' || FOREIGN[path]?.includes(flag) === true;
  const refused = readFileSync(join(root, 'docs/CONFIG.md'), 'utf8').split(
    '## Flags of VictoriaTraces that are not here',
  )[1];
  expect(refused).toBeDefined();
  const isRefused = (flag: string): boolean => refused!.includes(`-${flag}`);
  expect(unknown(named, (flag, path) => isThere(flag, path) || (path === 'docs/CONFIG.md' && isRefused(flag)))).toEqual(
    [],
  );
});

test('metrics', () => {
  const listed = readFileSync(join(root, 'docs/METRICS.md'), 'utf8');
  const named = /`((?:vt|vm|tracelith)_[a-z0-9_]*[a-z0-9])(?:\{[^`]*\})?`/g;
  expect(unknown(named, (metric) => listed.includes(`\`${metric}\``))).toEqual([]);
});
