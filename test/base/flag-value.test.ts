import { describe, expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import * as kinds from '../../src/base/flag-value.ts';
import type { FlagKind, ListenAddress } from '../../src/base/flag-value.ts';

const { parseBytes, parseDurationMs } = kinds;
const dayMs = 86_400_000;

function expectRefused(run: () => unknown, pattern: RegExp): void {
  let error: unknown;
  try {
    run();
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(StoreError);
  expect((error as StoreError).code).toBe('CONFIG');
  expect((error as StoreError).message).toMatch(pattern);
}

describe('parseDurationMs', () => {
  test.each<[string, number]>([
    ['0s', 0],
    ['1ms', 1],
    ['250ms', 250],
    ['1s', 1_000],
    ['1.5s', 1_500],
    ['15m', 900_000],
    ['12h', 43_200_000],
    ['1h30m', 5_400_000],
    ['1m1ms', 60_001],
    ['7d', 7 * dayMs],
    ['2w', 14 * dayMs],
    ['1M', 31 * dayMs],
    ['1y', 365 * dayMs],
    ['100y', 36_500 * dayMs],
    ['1', 31 * dayMs],
    ['12', 372 * dayMs],
    ['0.5', 15.5 * dayMs],
  ])('%s is %d ms', (text, expected) => {
    expect(parseDurationMs(text)).toBe(expected);
  });

  test.each([
    '',
    ' ',
    '1 s',
    ' 1s',
    '1s ',
    '-1s',
    '+1s',
    's',
    '1x',
    '1S',
    '1D',
    '1H',
    '1ss',
    '1.s',
    '.5s',
    '1,5s',
    '1e3s',
    '0x10',
    '1h30',
    '30 1h',
    'NaN',
    'Infinity',
    '1d\n',
    '٣d',
    '1us',
    '1ns',
    '1.2.3s',
    'forever',
  ])('%j is refused', (text) => {
    expectRefused(() => parseDurationMs(text), /^expected a duration such as .*7d.*, got "/);
  });

  test('what no number can hold exactly is refused', () => {
    expectRefused(() => parseDurationMs('999999999999y'), /2\^53/);
    expectRefused(() => parseDurationMs('9'.repeat(400)), /2\^53.*got "9{60}"$/);
  });
});

describe('parseBytes', () => {
  test.each<[string, number]>([
    ['0', 0],
    ['1048576', 1_048_576],
    ['12B', 12],
    ['1KB', 1_000],
    ['1KiB', 1_024],
    ['10MB', 10_000_000],
    ['64MiB', 67_108_864],
    ['64mib', 67_108_864],
    ['1GB', 1e9],
    ['1.5GiB', 1_610_612_736],
    ['1TB', 1e12],
    ['1TiB', 2 ** 40],
  ])('%s is %d', (text, expected) => {
    expect(parseBytes(text)).toBe(expected);
  });

  test.each(['', 'MiB', '1 MiB', '-1', '1M', '1K', '1PiB', '1e3', '0x10', '1.5.1', '.5', '10MBs', '1\n', '1_000'])(
    '%j is refused',
    (text) => {
      expectRefused(() => parseBytes(text), /^expected a size such as .*64MiB, got "/);
    },
  );

  test('what no number can hold exactly is refused', () => {
    expectRefused(() => parseBytes('9007199254740993'), /2\^53/);
    expectRefused(() => parseBytes('99999TiB'), /2\^53/);
  });
});

describe('bounds', () => {
  const period = kinds.duration({ min: '1d', max: '100y', bareMonths: true });
  const wait = kinds.duration({ min: '1s', max: '1h' });

  test.each<[string, FlagKind<unknown>, string, unknown]>([
    ['the smallest period', period, '1d', dayMs],
    ['hours that make a day', period, '24h', dayMs],
    ['the largest period', period, '100y', 36_500 * dayMs],
    ['bare months where they are meant', period, '3', 93 * dayMs],
    ['a wait with a suffix', wait, '1s', 1_000],
    ['the largest wait', wait, '60m', 3_600_000],
    ['the smallest size', kinds.bytes({ min: '1KiB', max: '1MiB' }), '1024', 1_024],
    ['the largest size', kinds.bytes({ min: '1KiB', max: '1MiB' }), '1MiB', 1_048_576],
    ['the smallest count', kinds.count('threads', { min: 1, max: 64 }), '1', 1],
    ['the largest count', kinds.count('threads', { min: 1, max: 64 }), '64', 64],
  ])('%s is inside', (_claim, kind, text, expected) => {
    expect(kind.parse(text)).toBe(expected);
  });

  test.each<[string, FlagKind<unknown>, string, RegExp]>([
    ['a period below its minimum', period, '23h', /^expected a duration from 1d to 100y, got "23h"$/],
    ['a period above its maximum', period, '101y', /from 1d to 100y/],
    ['minutes that were meant as months', period, '12m', /months are M.*got "12m"/],
    ['minutes after hours', period, '30h12m', /months are M/],
    ['a wait without suffix, which would be months', wait, '60', /with a suffix/],
    ['a wait below its minimum', wait, '999ms', /from 1s to 1h/],
    [
      'a size below its minimum',
      kinds.bytes({ min: '1KiB', max: '1MiB' }),
      '1023',
      /^expected a size from 1KiB to 1MiB, got "1023"$/,
    ],
    ['a size above its maximum', kinds.bytes({ min: '1KiB', max: '1MiB' }), '1048577', /from 1KiB to 1MiB/],
    [
      'a count of none',
      kinds.count('threads', { min: 1, max: 64 }),
      '0',
      /^expected a whole number from 1 to 64, got "0"$/,
    ],
    ['a count above its maximum', kinds.count('threads', { min: 1, max: 64 }), '65', /from 1 to 64/],
    ['a count that is no whole number', kinds.count('threads', { min: 1, max: 64 }), '1.5', /whole number/],
    ['a negative count', kinds.count('threads', { min: 1, max: 64 }), '-1', /whole number/],
    ['a count with a unit', kinds.count('threads', { min: 1, max: 64 }), '2k', /whole number/],
    ['no count', kinds.count('threads', { min: 1, max: 64 }), '', /whole number/],
  ])('%s is refused', (_claim, kind, text, pattern) => {
    expectRefused(() => kind.parse(text), pattern);
  });

  test('milliseconds are not taken for minutes in a period', () => {
    expect(period.parse('86400000ms')).toBe(dayMs);
  });
});

describe('words', () => {
  test.each<[string, boolean]>([
    ['true', true],
    ['True', true],
    ['TRUE', true],
    ['t', true],
    ['1', true],
    ['false', false],
    ['False', false],
    ['F', false],
    ['0', false],
  ])('%s is %s', (text, expected) => {
    expect(kinds.boolean.parse(text)).toBe(expected);
  });

  test.each(['', 'yes', 'no', 'on', 'truee', '2'])('%j is neither true nor false', (text) => {
    expectRefused(() => kinds.boolean.parse(text), /^expected true or false, got/);
  });

  test('a choice takes its words as they are written, and names them all', () => {
    const kind = kinds.choice(['INFO', 'WARN']);
    expect(kind.parse('WARN')).toBe('WARN');
    expectRefused(() => kind.parse('warn'), /^expected INFO or WARN, got "warn"$/);
    expectRefused(() => kind.parse(''), /^expected INFO or WARN, got ""$/);
  });

  test('a path is any text but none', () => {
    expect(kinds.path.parse('../my data/日')).toBe('../my data/日');
    expectRefused(() => kinds.path.parse(''), /path of a directory/);
    expectRefused(() => kinds.path.parse('a\0b'), /path of a directory/);
  });

  test.each<[string, string]>([
    ['', ''],
    ['/', ''],
    ['/a', '/a'],
    ['/a/', '/a'],
    ['/a/b-c_d.e~1', '/a/b-c_d.e~1'],
  ])('URL prefix %j becomes %j', (text, expected) => expect(kinds.urlPrefix.parse(text)).toBe(expected));

  test.each(['a', 'a/b', '//a', '/a//b', '/a b', '/a?b', '/a#', '/../a', '/a/..', '/./a', '/%61', 'http://x/a'])(
    'URL prefix %j is refused',
    (text) => expectRefused(() => kinds.urlPrefix.parse(text), /URL path such as \/tracelith/),
  );
});

describe('origins', () => {
  test.each<[string, string[]]>([
    ['', []],
    ['*', ['*']],
    ['https://shop.example', ['https://shop.example']],
    ['http://localhost:3000, https://a.b', ['http://localhost:3000', 'https://a.b']],
  ])('%j is %j', (text, expected) => expect(kinds.origins.parse(text)).toEqual(expected));

  test.each([
    'shop.example',
    'https://shop.example/',
    'https://a.b/c',
    'HTTPS://A.B',
    'ftp://a.b',
    'null',
    'https://*.a.b',
    ',',
  ])('%j is refused', (text) => expectRefused(() => kinds.origins.parse(text), /^expected an origin such as/));
});

describe('host names', () => {
  test.each<[string, string[]]>([
    ['', []],
    ['*', ['*']],
    ['Traces.Example, b-c', ['traces.example', 'b-c']],
  ])('%j is %j', (text, expected) => expect(kinds.hostNames.parse(text)).toEqual(expected));

  test.each(['a:80', 'http://a', 'a/b', ',', '*.a', '[::1]'])('%j is refused', (text) =>
    expectRefused(() => kinds.hostNames.parse(text), /^expected a host name such as/),
  );
});

describe('addresses', () => {
  test.each<[string, ListenAddress, string]>([
    ['127.0.0.1:10428', { host: '127.0.0.1', port: 10_428 }, '127.0.0.1:10428'],
    [':10428', { host: '0.0.0.0', port: 10_428 }, '0.0.0.0:10428'],
    ['[::1]:10428', { host: '::1', port: 10_428 }, '[::1]:10428'],
    ['[::]:4317', { host: '::', port: 4_317 }, '[::]:4317'],
    ['localhost:0', { host: 'localhost', port: 0 }, 'localhost:0'],
    [
      'trace-store.my_net.example:65535',
      { host: 'trace-store.my_net.example', port: 65_535 },
      'trace-store.my_net.example:65535',
    ],
  ])('%s is read and written', (text, expected, shown) => {
    const address = kinds.listenAddress.parse(text);
    expect(address).toEqual(expected);
    expect(kinds.formatAddress(address)).toBe(shown);
  });

  test.each([
    '',
    '10428',
    ':',
    'localhost',
    'localhost:',
    ':65536',
    ':123456',
    ':-1',
    ':http',
    '::1:10428',
    '::1',
    '[::1]',
    '[]:1',
    '[127.0.0.1]:1',
    '[::g]:1',
    '300.0.0.1:1',
    '1.2.3:1',
    'a b:1',
    'http://localhost:1',
    'localhost:1/',
    'a:1,b:2',
    'localhost:1\n',
  ])('%j is refused', (text) => {
    expectRefused(() => kinds.listenAddress.parse(text), /^expected an address such as .*:10428.*got/);
  });

  test('only an optional address may be empty, which switches the listener off', () => {
    expect(kinds.optionalListenAddress.parse('')).toBeUndefined();
    expect(kinds.optionalListenAddress.parse(':1')).toEqual({ host: '0.0.0.0', port: 1 });
    expectRefused(() => kinds.optionalListenAddress.parse('off'), /expected an address/);
  });
});
