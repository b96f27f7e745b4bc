import { describe, expect, test } from 'vitest';
import {
  createLogger,
  describeError,
  type LineLogger,
  type LogFields,
  type LogFormat,
  type LogLevel,
} from '../../src/base/logger.ts';
import { StoreError } from '../../src/base/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';

interface Recorder {
  readonly logger: LineLogger;
  readonly lines: string[];
  readonly clock: FakeClock;
}

function record(format: LogFormat = 'default', level: LogLevel = 'INFO'): Recorder {
  const lines: string[] = [];
  const clock = new FakeClock();
  return { logger: createLogger({ format, level, clock, write: (line) => void lines.push(line) }), lines, clock };
}

describe('a text line', () => {
  test.each<[string, LogFields, string]>([
    ['nothing but a message', {}, ''],
    [
      'numbers, booleans and bigints bare',
      { rows: 12, isReadOnly: false, startNs: 17n },
      ' rows=12 isReadOnly=false startNs=17',
    ],
    ['a plain word bare', { path: '/data/a.log' }, ' path=/data/a.log'],
    ['spaces quoted', { path: '/my data' }, ' path="/my data"'],
    ['an empty text visible', { name: '' }, ' name=""'],
    ['an equals sign quoted', { name: 'a=b' }, ' name="a=b"'],
    ['a line break escaped', { name: 'a\nb' }, ' name="a\\nb"'],
    ['an undefined field left out', { a: undefined, b: 1 }, ' b=1'],
    ['a StoreError by code and message', { error: new StoreError('DISK', 'full') }, ' error="DISK full"'],
  ])('shows %s', (_claim, fields, expected) => {
    const { logger, lines } = record();
    logger.info('opened', fields);
    expect(lines).toEqual([`2026-11-20T12:00:00.000Z INFO  opened${expected}\n`]);
  });

  test('names its level', () => {
    const { logger, lines } = record();
    logger.warn('slow');
    logger.error('lost');
    expect(lines).toEqual(['2026-11-20T12:00:00.000Z WARN  slow\n', '2026-11-20T12:00:00.000Z ERROR lost\n']);
  });

  test('stays one line whatever message and values hold', () => {
    const { logger, lines } = record();
    logger.info('evil\r\n2026-11-20T12:00:00.000Z ERROR forged\u2028x', { name: 'a\u0085b\nc\u2029d' });
    expect(lines).toEqual([
      '2026-11-20T12:00:00.000Z INFO  evil\\u000d\\u000a2026-11-20T12:00:00.000Z ERROR forged\\u2028x name="a\\u0085b\\nc\\u2029d"\n',
    ]);
  });

  test('shows no escape sequence and no mark that turns text around, in either form', () => {
    for (const format of ['default', 'json'] as const) {
      const { logger, lines } = record(format);
      logger.info('a\u001b[2Jb', { name: '\u202eGNP.EXE\u202c', other: '\u2066x\u2069\u200f\ufeff\u0085\u2028' });
      expect(lines.join('')).toMatch(/^[\x20-\x7e]+\n$/);
      expect(lines[0]).toContain('\\u202eGNP.EXE');
    }
  });

  test('cuts a huge value and says how long it was', () => {
    const { logger, lines } = record();
    logger.info('body', { text: 'x'.repeat(1 << 20) });
    expect(lines[0]!.length).toBeLessThan(5_200);
    expect(lines[0]).toContain('(1048576 characters)');
  });
});

describe('a JSON line', () => {
  test('holds the same as typed values', () => {
    const { logger, lines } = record('json');
    logger.info('opened', { rows: 12, ok: true, startNs: 2n ** 60n, name: 'a "b"', gone: undefined, ratio: NaN });
    expect(lines).toHaveLength(1);
    expect(lines[0]!.endsWith('}\n')).toBe(true);
    expect(JSON.parse(lines[0]!)).toEqual({
      ts: '2026-11-20T12:00:00.000Z',
      level: 'INFO',
      msg: 'opened',
      rows: 12,
      ok: true,
      startNs: '1152921504606846976',
      name: 'a "b"',
      ratio: 'NaN',
    });
  });
});

describe('levels', () => {
  test.each<[LogLevel, string[]]>([
    ['INFO', ['INFO', 'WARN', 'ERROR']],
    ['WARN', ['WARN', 'ERROR']],
    ['ERROR', ['ERROR']],
  ])('%s lets through %j', (level, expected) => {
    const { logger, lines } = record('default', level);
    logger.info('a');
    logger.warn('b');
    logger.error('c');
    expect(lines.map((line) => line.split(/ +/)[1])).toEqual(expected);
  });
});

describe('repeated lines', () => {
  test('five of a kind pass in ten seconds, and the next interval says how many did not', () => {
    const { logger, lines, clock } = record();
    for (let i = 0; i < 105; i++) logger.warn('span rejected', { i });
    expect(lines).toHaveLength(5);
    expect(logger.counts().reduce((sum, one) => sum + one.suppressed, 0)).toBe(100);
    clock.advance(10_000);
    logger.warn('span rejected', { i: 105 });
    logger.warn('span rejected', { i: 106 });
    expect(lines.slice(5)).toEqual([
      '2026-11-20T12:00:10.000Z WARN  span rejected i=105 suppressed=100\n',
      '2026-11-20T12:00:10.000Z WARN  span rejected i=106\n',
    ]);
    expect(logger.counts().reduce((sum, one) => sum + one.suppressed, 0)).toBe(100);
  });

  test('one message does not silence another, nor a warning the error of the same text', () => {
    const { logger, lines } = record();
    for (let i = 0; i < 10; i++) logger.warn('a');
    logger.warn('b');
    logger.error('a');
    expect(lines).toHaveLength(7);
  });

  test('INFO lines are never left out', () => {
    const { logger, lines } = record();
    for (let i = 0; i < 50; i++) logger.info('tick');
    expect(lines).toHaveLength(50);
  });

  test('a clock set back does not silence a message', () => {
    const { logger, lines, clock } = record();
    for (let i = 0; i < 10; i++) logger.warn('a');
    clock.advance(-3_600_000);
    logger.warn('a');
    expect(lines).toHaveLength(6);
    expect(lines[5]).toContain('suppressed=5');
  });
});

describe('describeError', () => {
  test('follows causes and collected errors', () => {
    const cause = new StoreError('DISK', '/d/1.log: EIO');
    const error = new StoreError('CORRUPTION', 'part 7: cannot be read; see quarantine', { cause });
    expect(describeError(error)).toBe(
      'CORRUPTION part 7: cannot be read; see quarantine; caused by DISK /d/1.log: EIO',
    );
    const both = describeError(new AggregateError([cause, new StoreError('TIMEOUT', 'late')], 'two'));
    expect(both).toMatch(/AggregateError: two[^]*; caused by DISK \/d\/1\.log: EIO; caused by TIMEOUT late/);
  });

  test('shows the stack of an error nobody foresaw', () => {
    expect(describeError(new TypeError('x is undefined'))).toMatch(/^TypeError: x is undefined\n +at /);
  });

  test('ends at an error that is its own cause', () => {
    const error = new StoreError('DISK', 'loop');
    error.cause = error;
    expect(describeError(error).split('caused by')).toHaveLength(8);
  });

  test('takes whatever was thrown', () => {
    expect(describeError('text')).toBe('text');
    expect(describeError(undefined)).toBe('undefined');
  });
});
