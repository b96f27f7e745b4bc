// Values of flags from files and variables.
import { describe, expect, test } from 'vitest';
import { resolveFlag } from '../../src/base/flag-source.ts';

const files: Readonly<Record<string, string>> = { '/run/key': 'hunter2 \n\n', 'here/key': '%{KEY}', '/key of a': 'x' };
const readText = (path: string): string => {
  const text = files[path];
  if (text === undefined) throw new Error(`ENOENT: ${path}`);
  return text;
};
const env = { KEY: 'hunter3', DIR: '/run', EMPTY: '' };
const resolve = (text: string): ReturnType<typeof resolveFlag> =>
  resolveFlag({ text, source: 'flag -k' }, env, readText);

describe('the value of a flag', () => {
  test.each([
    ['file:///run/key', 'hunter2'],
    ['file://here/key', '%{KEY}'],
    ['%{KEY}', 'hunter3'],
    ['a %{KEY} %{EMPTY}b', 'a hunter3 b'],
    ['file://%{DIR}/key', 'hunter2'],
  ])('of %s is %s, and what was written is kept for those who look', (written, text) => {
    expect(resolve(written)).toEqual({ text, source: 'flag -k', written });
  });

  test.each(['', 'key', 'a file:///run/key', '/run/key', '%KEY', '${KEY}', 'http://x'])('%j is its own', (text) => {
    expect(resolve(text)).toEqual({ text, source: 'flag -k' });
  });

  test('that is not there is an error that names where it should be', () => {
    expect(() => resolve('%{NONE}')).toThrow('flag -k: the environment variable "NONE" in it is not set');
    expect(() => resolve('file:///none')).toThrow('flag -k: cannot read its value from /none: ENOENT: /none');
  });
});
