import { describe, expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { addEnvironment, nearestName, readArguments, type FlagName } from '../../src/base/flags.ts';

const known: FlagName[] = [
  { name: 'storageDataPath', example: '-storageDataPath=/data', isBoolean: false },
  { name: 'http.pathPrefix', example: '-http.pathPrefix=/t', isBoolean: false },
  { name: 'retentionPeriod', example: '-retentionPeriod=7d', isBoolean: false },
  { name: 'version', example: '-version', isBoolean: true },
  { name: 'envflag.enable', example: '-envflag.enable', isBoolean: true },
];

function read(argv: string[]): Record<string, string> {
  return Object.fromEntries([...readArguments(argv, known)].map(([name, given]) => [name, given.text]));
}

function refusal(argv: string[]): string {
  try {
    readArguments(argv, known);
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    expect((error as StoreError).code).toBe('CONFIG');
    return (error as StoreError).message;
  }
  throw new Error(`${JSON.stringify(argv)} was accepted`);
}

describe('the command line', () => {
  test.each<[string, string[], Record<string, string>]>([
    ['nothing', [], {}],
    ['one dash and an equals sign', ['-storageDataPath=/d'], { storageDataPath: '/d' }],
    ['two dashes and an equals sign', ['--storageDataPath=/d'], { storageDataPath: '/d' }],
    ['one dash and a space', ['-storageDataPath', '/d'], { storageDataPath: '/d' }],
    ['two dashes and a space', ['--storageDataPath', '/d'], { storageDataPath: '/d' }],
    ['a dot in the name', ['-http.pathPrefix=/x'], { 'http.pathPrefix': '/x' }],
    ['an empty value', ['-http.pathPrefix='], { 'http.pathPrefix': '' }],
    ['an empty value after a space', ['-http.pathPrefix', ''], { 'http.pathPrefix': '' }],
    ['a value with equals signs', ['-storageDataPath=a=b=c'], { storageDataPath: 'a=b=c' }],
    ['a value that begins with a dash, behind an equals sign', ['-storageDataPath=-d'], { storageDataPath: '-d' }],
    ['a bare boolean', ['-version'], { version: 'true' }],
    ['a boolean said to be false', ['-version=false'], { version: 'false' }],
    ['a boolean said to be true', ['--version=true'], { version: 'true' }],
    [
      'several',
      ['-version', '-storageDataPath', 'd', '--retentionPeriod=1d'],
      { version: 'true', storageDataPath: 'd', retentionPeriod: '1d' },
    ],
  ])('%s is read', (_claim, argv, expected) => {
    expect(read(argv)).toEqual(expected);
  });

  test.each<[string, string[], string]>([
    ['a flag nobody knows', ['-colour=red'], 'unknown flag -colour; -help lists every flag'],
    [
      'a slip of the pen',
      ['-retentionPeriode=7d'],
      'unknown flag -retentionPeriode; did you mean -retentionPeriod? -help lists every flag',
    ],
    [
      'another case',
      ['--storagedatapath', '/d'],
      'unknown flag -storagedatapath; did you mean -storageDataPath? -help lists every flag',
    ],
    [
      'a name without its group',
      ['-pathPrefix=/x'],
      'unknown flag -pathPrefix; did you mean -http.pathPrefix? -help lists every flag',
    ],
    ['a negated boolean', ['-no-version'], 'unknown flag -no-version; did you mean -version? -help lists every flag'],
    ['a name of the language', ['-__proto__=1'], 'unknown flag -__proto__; -help lists every flag'],
    ['a method of the language', ['-toString'], 'unknown flag -toString; -help lists every flag'],
    ['no name', ['-=x'], 'unknown flag -=x; -help lists every flag'],
    ['three dashes', ['---version'], 'unknown flag --version; did you mean -version? -help lists every flag'],
    ['a line break in a name', ['-a\nb'], 'unknown flag -a\\nb; -help lists every flag'],
    [
      'the same flag twice',
      ['-retentionPeriod=1d', '-retentionPeriod=1d'],
      'flag -retentionPeriod is given more than once; give it once',
    ],
    [
      'the same flag in two spellings',
      ['-version', '--version=true'],
      'flag -version is given more than once; give it once',
    ],
    [
      'a missing value at the end',
      ['-retentionPeriod'],
      'flag -retentionPeriod needs a value, for example -retentionPeriod=7d',
    ],
    [
      'a flag in the place of a value',
      ['-retentionPeriod', '-version'],
      'flag -retentionPeriod needs a value, for example -retentionPeriod=7d',
    ],
    [
      'a word that is no flag',
      ['serve'],
      'unexpected argument "serve"; a flag is written -name=value, -help lists every flag',
    ],
    [
      'a value after a boolean',
      ['-version', 'true'],
      'unexpected argument "true"; a flag is written -name=value, -help lists every flag',
    ],
    [
      'two dashes alone',
      ['--', '-version'],
      'unexpected argument "--"; a flag is written -name=value, -help lists every flag',
    ],
    ['one dash alone', ['-'], 'unexpected argument "-"; a flag is written -name=value, -help lists every flag'],
    ['an empty argument', [''], 'unexpected argument ""; a flag is written -name=value, -help lists every flag'],
    [
      'an assignment without dash',
      ['version=true'],
      'unexpected argument "version=true"; a flag is written -name=value, -help lists every flag',
    ],
  ])('%s is refused', (_claim, argv, message) => {
    expect(refusal(argv)).toBe(message);
  });

  test('a huge argument is not echoed whole', () => {
    expect(refusal([`-${'x'.repeat(100_000)}`]).length).toBeLessThan(200);
    expect(refusal(['x'.repeat(100_000)]).length).toBeLessThan(200);
  });
});

describe('the environment', () => {
  test('adds what the command line left open, dots as underscores', () => {
    const given = readArguments(['-retentionPeriod=1d'], known);
    addEnvironment(
      given,
      known,
      { retentionPeriod: '2d', http_pathPrefix: '', 'http.pathPrefix': '/no', PATH: '/bin' },
      '',
    );
    expect([...given]).toEqual([
      ['retentionPeriod', { text: '1d', source: 'flag -retentionPeriod' }],
      ['http.pathPrefix', { text: '', source: 'environment variable http_pathPrefix' }],
    ]);
  });

  test('a prefix belongs to the name', () => {
    const given = readArguments([], known);
    addEnvironment(given, known, { T_retentionPeriod: '2d', storageDataPath: '/no' }, 'T_');
    expect([...given]).toEqual([['retentionPeriod', { text: '2d', source: 'environment variable T_retentionPeriod' }]]);
  });
});

describe('the nearest name', () => {
  const names = ['loggerLevel', 'loggerFormat', 'search.maxTraces', 'http.pathPrefix', 'help'];

  test.each<[string, string | undefined]>([
    ['loggerLevle', 'loggerLevel'],
    ['logger.level', 'loggerLevel'],
    ['logerFormat', 'loggerFormat'],
    ['maxTraces', 'search.maxTraces'],
    ['search.maxTrace', 'search.maxTraces'],
    ['hlp', 'help'],
    ['z', undefined],
    ['', undefined],
    ['completely.different.thing', undefined],
  ])('to %j is %j', (name, expected) => {
    expect(nearestName(name, names)).toBe(expected);
  });
});
