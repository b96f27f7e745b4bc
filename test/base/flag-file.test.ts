// Flags from a YAML file: every value as it stands there, and whatever is no flag refused with its line.
import { expect, test } from 'vitest';
import { addFile } from '../../src/base/flag-file.ts';
import type { GivenFlag } from '../../src/base/flags.ts';
import { isStoreError } from '../../src/base/errors.ts';

const known = ['retentionPeriod', 'search.maxTraces', 'http.corsOrigins', 'purge.enable', 'a.b.c'].map((name) => ({
  name,
  example: `-${name}=1`,
  isBoolean: name === 'purge.enable',
}));

function read(text: string, given = new Map<string, GivenFlag>()): Record<string, string> {
  addFile(given, known, { path: '/f.yaml', text });
  return Object.fromEntries([...given].map(([name, flag]) => [name, flag.text]));
}

function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (isStoreError(error, 'CONFIG')) return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
}

test.each<[string, string, Record<string, string>]>([
  ['a line', 'retentionPeriod: 30d', { retentionPeriod: '30d' }],
  ['names with dots', 'search.maxTraces: 200', { 'search.maxTraces': '200' }],
  ['nesting, and both mixed', 'a:\n  b.c: x\nsearch: { maxTraces: 7 }', { 'a.b.c': 'x', 'search.maxTraces': '7' }],
  [
    'text that YAML would take for another type',
    'retentionPeriod: 1e3\npurge.enable: yes',
    { retentionPeriod: '1e3', 'purge.enable': 'yes' },
  ],
  [
    'a list',
    'http:\n  corsOrigins:\n    - https://a.b\n    - https://c.d',
    { 'http.corsOrigins': 'https://a.b,https://c.d' },
  ],
  ['quotes', 'retentionPeriod: "30d" # as long as the law asks', { retentionPeriod: '30d' }],
  ['nothing after the colon', 'http.corsOrigins:', { 'http.corsOrigins': '' }],
  ['an empty file', '', {}],
  ['only a comment', '# none\n', {}],
])('%s', (_what, text, expected) => {
  expect(read(text)).toEqual(expected);
});

test('what is given already wins', () => {
  const given = new Map([['retentionPeriod', { text: '1d', source: 'flag' }]]);
  expect(read('retentionPeriod: 30d', given)).toEqual({ retentionPeriod: '1d' });
});

test('a value is known by its line', () => {
  const given = new Map<string, GivenFlag>();
  read('# first\nretentionPeriod: soon', given);
  expect(given.get('retentionPeriod')?.source).toBe('/f.yaml, line 2: retentionPeriod');
});

test.each([
  [
    'retentionPeriods: 1',
    '/f.yaml, line 1: unknown flag retentionPeriods; did you mean retentionPeriod? -help lists every flag, names stand here without dashes',
  ],
  [
    'x: 1\n-retentionPeriod: 1',
    '/f.yaml, line 1: unknown flag x; -help lists every flag, names stand here without dashes',
  ],
  [
    'search:\n  maxTrace: 1',
    '/f.yaml, line 2: unknown flag search.maxTrace; did you mean search.maxTraces? -help lists every flag, names stand here without dashes',
  ],
  ['- retentionPeriod', '/f.yaml, line 1: expected lines of `name: value`'],
  ['just text', '/f.yaml, line 1: expected lines of `name: value`'],
  ['a.b.c:\n  - {x: 1}', '/f.yaml, line 2: a.b.c: expected a text, a number, true or false, or a list of them'],
])('%j is refused', (text, message) => {
  expect(refusal(text)).toBe(message);
});

test.each(['retentionPeriod: 1\nretentionPeriod: 2', 'a: [', 'retentionPeriod: *x', '\t- x: {', '!!binary x: y: z'])(
  'what is no YAML, or says one thing twice, is refused with its line: %j',
  (text) => {
    expect(refusal(text)).toMatch(/^\/f\.yaml, line \d+: ./);
  },
);
