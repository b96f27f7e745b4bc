import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isStoreError, StoreError } from '../src/base/errors.ts';
import { limits } from '../src/base/limits.ts';
import {
  compareConfigs,
  flagTable,
  helpText,
  maskedArguments,
  parseBytes,
  parseConfig,
  parseDurationMs,
  type Config,
} from '../src/config.ts';
import { TemporaryFolder } from './storage/open-store.ts';

const dayMs = 86_400_000;

function refusal(argv: string[], env: Record<string, string> = {}): string {
  try {
    parseConfig(argv, env);
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    expect((error as StoreError).code).toBe('CONFIG');
    return (error as StoreError).message;
  }
  throw new Error(`${JSON.stringify(argv)} was accepted`);
}

describe('defaults', () => {
  test('are those the README promises', () => {
    const config = parseConfig([], {});
    expect(config).toMatchObject({
      storageDataPath: 'tracelith-data',
      httpListenAddr: { host: '127.0.0.1', port: 10_428 },
      otlpGrpcListenAddr: { host: '127.0.0.1', port: 4_317 },
      otlpHttpListenAddr: { host: '127.0.0.1', port: 4_318 },
      retentionMs: 7 * dayMs,
      futureRetentionMs: 2 * dayMs,
      requestBytesMax: 64 << 20,
      insertQueueMaxMs: 60_000,
      freeDiskBytesMin: 10_000_000,
      flushIntervalMs: 10_000,
      snapshotsMaxAgeMs: 259_200_000,
      searchMaxMs: 30_000,
      searchBytesMax: 8 * 2 ** 30,
      slowQueryMs: 5_000,
      searchTracesMax: 2_500,
      httpPathPrefix: '',
      forceFlushAuthKey: '',
      forceMergeAuthKey: '',
      partitionManageAuthKey: '',
      metricsAuthKey: '',
      flagsAuthKey: '',
      loggerFormat: 'default',
      loggerLevel: 'INFO',
      version: false,
      help: false,
      envflagEnable: false,
      envflagPrefix: '',
      shutdownMaxMs: 7_000,
      queryWorkers: 1,
      mergeWorkers: 1,
    } satisfies Partial<Config>);
    expect(config.concurrentInsertsMax).toBeGreaterThanOrEqual(32);
    expect(config.concurrentSearchesMax).toBeGreaterThanOrEqual(2);
    expect(config.concurrentSearchesMax).toBeLessThanOrEqual(16);
  });

  test('the whole of it is frozen', () => {
    const config = parseConfig([], {});
    for (const value of [config, config.shownFlags, config.shownFlags[0], config.httpListenAddr]) {
      expect(Object.isFrozen(value)).toBe(true);
    }
  });
});

describe('a flag', () => {
  test.each<[string, keyof Config, unknown]>([
    ['-storageDataPath=/var/lib/tracelith', 'storageDataPath', '/var/lib/tracelith'],
    ['-httpListenAddr=:10428', 'httpListenAddr', { host: '0.0.0.0', port: 10_428 }],
    ['-httpListenAddr=[::1]:10428', 'httpListenAddr', { host: '::1', port: 10_428 }],
    ['-otlpGRPCListenAddr=', 'otlpGrpcListenAddr', undefined],
    ['-otlpGRPCListenAddr=:0', 'otlpGrpcListenAddr', { host: '0.0.0.0', port: 0 }],
    ['-retentionPeriod=1', 'retentionMs', 31 * dayMs],
    ['-retentionPeriod=1y', 'retentionMs', 365 * dayMs],
    ['-futureRetention=1d', 'futureRetentionMs', dayMs],
    ['-opentelemetry.traces.maxRequestSize=1MiB', 'requestBytesMax', 1 << 20],
    ['-maxConcurrentInserts=7', 'concurrentInsertsMax', 7],
    ['-insert.maxQueueDuration=250ms', 'insertQueueMaxMs', 250],
    ['-storage.minFreeDiskSpaceBytes=1GiB', 'freeDiskBytesMin', 1 << 30],
    ['-storage.minFreeDiskSpaceBytes=0', 'freeDiskBytesMin', 0],
    ['-inmemoryDataFlushInterval=1s', 'flushIntervalMs', 1_000],
    ['-search.maxConcurrentRequests=3', 'concurrentSearchesMax', 3],
    ['-search.maxQueryDuration=1m', 'searchMaxMs', 60_000],
    ['-search.maxTraces=10000', 'searchTracesMax', limits.searchTracesMax],
    ['-http.pathPrefix=/t/', 'httpPathPrefix', '/t'],
    ['-forceFlushAuthKey=a b', 'forceFlushAuthKey', 'a b'],
    ['-forceMergeAuthKey=k', 'forceMergeAuthKey', 'k'],
    ['-partitionManageAuthKey=k', 'partitionManageAuthKey', 'k'],
    ['-snapshotsMaxAge=12h', 'snapshotsMaxAgeMs', 43_200_000],
    ['-snapshotsMaxAge=0s', 'snapshotsMaxAgeMs', 0],
    ['-delete.enable', 'isDeleteOn', true],
    ['-deleteAuthKey=k', 'deleteAuthKey', 'k'],
    ['-metricsAuthKey=k', 'metricsAuthKey', 'k'],
    ['-flagsAuthKey=k', 'flagsAuthKey', 'k'],
    ['-pprofAuthKey=k', 'pprofAuthKey', 'k'],
    ['-loggerFormat=json', 'loggerFormat', 'json'],
    ['-loggerLevel=ERROR', 'loggerLevel', 'ERROR'],
    ['-http.maxGracefulShutdownDuration=0s', 'shutdownMaxMs', 0],
    ['-shutdownTimeout=25s', 'stopMaxMs', 25_000],
    ['-queryWorkers=4', 'queryWorkers', 4],
    ['-mergeWorkers=2', 'mergeWorkers', 2],
    ['-version', 'version', true],
    ['-help', 'help', true],
    ['-help=false', 'help', false],
  ])('%s sets %s', (argument, key, expected) => {
    expect(parseConfig([argument], {})[key]).toEqual(expected);
    expect(parseConfig([`-${argument}`], {})[key]).toEqual(expected);
  });

  test.each<[string, string]>([
    ['-retentionPeriod=23h', 'flag -retentionPeriod: expected a duration from 1d to 100y, got "23h"'],
    [
      '-retentionPeriod=12m',
      'flag -retentionPeriod: expected a duration without minutes (months are M, as in 1M), got "12m"',
    ],
    [
      '-retentionPeriod=soon',
      'flag -retentionPeriod: expected a duration such as 500ms, 30s, 15m, 12h, 7d, 2w, 1M or 1y, got "soon"',
    ],
    ['-futureRetention=1h', 'flag -futureRetention: expected a duration from 1d to 100y, got "1h"'],
    [
      '-inmemoryDataFlushInterval=500ms',
      'flag -inmemoryDataFlushInterval: expected a duration from 1s to 1h, got "500ms"',
    ],
    [
      '-inmemoryDataFlushInterval=5',
      'flag -inmemoryDataFlushInterval: expected a duration with a suffix such as ms, s, m or h, got "5"',
    ],
    [
      '-opentelemetry.traces.maxRequestSize=1GiB',
      'flag -opentelemetry.traces.maxRequestSize: expected a size from 1KiB to 128MiB, got "1GiB"',
    ],
    ['-maxConcurrentInserts=0', 'flag -maxConcurrentInserts: expected a whole number from 1 to 65536, got "0"'],
    ['-search.maxTraces=10001', 'flag -search.maxTraces: expected a whole number from 1 to 10000, got "10001"'],
    [
      '-search.maxQueryDuration=30',
      'flag -search.maxQueryDuration: expected a duration with a suffix such as ms, s, m or h, got "30"',
    ],
    [
      '-httpListenAddr=',
      'flag -httpListenAddr: expected an address such as 127.0.0.1:10428, :10428 or [::1]:10428, got ""',
    ],
    [
      '-otlpGRPCListenAddr=4317',
      'flag -otlpGRPCListenAddr: expected an address such as 127.0.0.1:10428, :10428 or [::1]:10428, got "4317"',
    ],
    ['-loggerLevel=debug', 'flag -loggerLevel: expected INFO or WARN or ERROR, got "debug"'],
    ['-loggerFormat=xml', 'flag -loggerFormat: expected default or json, got "xml"'],
    ['-queryWorkers=many', 'flag -queryWorkers: expected a whole number from 1 to 64, got "many"'],
    ['-version=maybe', 'flag -version: expected true or false, got "maybe"'],
    ['-storageDataPath=', 'flag -storageDataPath: expected the path of a directory, got ""'],
    ['-retention.maxDiskSpace=1', 'unknown flag -retention.maxDiskSpace; -help lists every flag'],
    [
      '-otlpGrpcListenAddr=:1',
      'unknown flag -otlpGrpcListenAddr; did you mean -otlpGRPCListenAddr? -help lists every flag',
    ],
  ])('%s is refused with a line that helps', (argument, message) => {
    expect(refusal([argument])).toBe(message);
  });
});

describe('the environment', () => {
  test('is not looked at unless asked', () => {
    expect(parseConfig([], { retentionPeriod: '30d' }).retentionMs).toBe(7 * dayMs);
  });

  test('gives what the command line does not', () => {
    const env = {
      retentionPeriod: '30d',
      futureRetention: '3d',
      search_maxTraces: '5',
      otlpGRPCListenAddr: '',
      HOME: '/root',
    };
    const config = parseConfig(['-envflag.enable', '-futureRetention=4d'], env);
    expect(config).toMatchObject({
      retentionMs: 30 * dayMs,
      futureRetentionMs: 4 * dayMs,
      searchTracesMax: 5,
      otlpGrpcListenAddr: undefined,
    });
    expect(config.shownFlags).toContainEqual({ name: 'search.maxTraces', value: '5', isSet: true });
  });

  test('is read with a prefix when there is one', () => {
    const env = { retentionPeriod: '30d', VT_retentionPeriod: '60d' };
    expect(parseConfig(['-envflag.enable', '-envflag.prefix=VT_'], env).retentionMs).toBe(60 * dayMs);
  });

  test('cannot switch itself on, nor name its own prefix', () => {
    expect(parseConfig([], { envflag_enable: 'true', retentionPeriod: '30d' }).retentionMs).toBe(7 * dayMs);
    expect(parseConfig(['-envflag.enable'], { envflag_prefix: 'X_', X_retentionPeriod: '30d' }).envflagPrefix).toBe('');
  });

  test('is named where its value is wrong', () => {
    const message = 'environment variable VT_search_maxTraces: expected a whole number from 1 to 10000, got "x"';
    expect(refusal(['-envflag.enable', '-envflag.prefix=VT_'], { VT_search_maxTraces: 'x' })).toBe(message);
  });

  test("is the process's own by default", () => {
    expect(parseConfig([]).retentionMs).toBe(7 * dayMs);
  });
});

describe('the file of -config', () => {
  const inFile = (text: string) => (path: string) => {
    if (path !== '/f.yaml') throw new Error(`ENOENT: no such file or directory, open '${path}'`);
    return text;
  };
  const fileRefusal = (argv: readonly string[], text: string): string => {
    try {
      parseConfig(argv, {}, inFile(text));
    } catch (error) {
      if (isStoreError(error, 'CONFIG')) return error.message;
      throw error;
    }
    throw new Error('nothing was refused');
  };

  test('gives what neither command line nor environment gives', () => {
    const text = 'retentionPeriod: 30d\nsearch: { maxTraces: 5, maxQueryDuration: 9s }\nqueryWorkers: 3';
    const argv = ['-config=/f.yaml', '-retentionPeriod=2d', '-envflag.enable'];
    expect(parseConfig(argv, { search_maxTraces: '6' }, inFile(text))).toMatchObject({
      retentionMs: 2 * dayMs,
      searchTracesMax: 6,
      searchMaxMs: 9_000,
      queryWorkers: 3,
    });
  });

  test('may be named by the environment', () => {
    expect(parseConfig(['-envflag.enable'], { config: '/f.yaml' }, inFile('queryWorkers: 3')).queryWorkers).toBe(3);
  });

  test('cannot name another file, nor say what only the command line can', () => {
    for (const name of ['config', 'envflag.enable', 'version', 'help'])
      expect(fileRefusal(['-config=/f.yaml'], `${name}: x`)).toMatch(
        new RegExp(`^/f.yaml, line 1: unknown flag ${name};`),
      );
  });

  test('a wrong value is told by its line, a secret is not repeated', () => {
    expect(fileRefusal(['-config=/f.yaml'], '\nqueryWorkers: many')).toBe(
      '/f.yaml, line 2: queryWorkers: expected a whole number from 1 to 64, got "many"',
    );
    const secret = parseConfig(['-config=/f.yaml'], {}, inFile('metricsAuthKey: hunter2'));
    expect(secret.metricsAuthKey).toBe('hunter2');
    expect(JSON.stringify(secret.shownFlags)).not.toContain('hunter2');
  });

  test('a file that cannot be read says what is wrong and what to do', () => {
    expect(fileRefusal(['-config=/g.yaml'], '')).toBe(
      "-config=/g.yaml: cannot be read: ENOENT: no such file or directory, open '/g.yaml'; " +
        'name a YAML file with lines such as `retentionPeriod: 30d`',
    );
    expect(refusal(['-config=/nowhere/at/all.yaml'])).toMatch(
      /^-config=\/nowhere\/at\/all\.yaml: cannot be read: ENOENT/,
    );
    expect(refusal(['-config=/'])).toMatch(/^-config=\/: cannot be read: /);
  });

  test('what has changed since is told apart by what can be taken over', () => {
    const before = parseConfig(['-config=/f.yaml'], {}, inFile('queryWorkers: 3'));
    const after = parseConfig(['-config=/f.yaml'], {}, inFile('search.maxQueryDuration: 9s\nqueryWorkers: 4'));
    expect(compareConfigs(before, after)).toEqual({ taken: ['search.maxQueryDuration'], left: ['queryWorkers'] });
    expect(compareConfigs(after, after)).toEqual({ taken: [], left: [] });
  });
});

test('a configuration of Jaeger UI without the UI is refused', () => {
  expect(refusal(['-jaegerui.config=/x.json'])).toBe('-jaegerui.config is of no use without -jaegerui.dir; set both');
});

test('the requests of a stop cannot be given longer than the whole of it', () => {
  const requests = '-http.maxGracefulShutdownDuration=20s';
  const message = '-http.maxGracefulShutdownDuration is longer than -shutdownTimeout, which it is a part of; set both';
  expect(refusal([requests])).toBe(message);
  expect(refusal(['-shutdownTimeout=5s'])).toBe(message);
  expect(parseConfig([requests, '-shutdownTimeout=20s'], {})).toMatchObject({
    shutdownMaxMs: 20_000,
    stopMaxMs: 20_000,
  });
});

describe('the limits on the disk', () => {
  test('are off by default, and are bytes or a percentage', () => {
    expect(parseConfig([], {})).toMatchObject({ diskBytesMax: 0, diskPercentMax: 0 });
    expect(parseConfig(['-retention.maxDiskSpaceUsageBytes=5GiB'], {}).diskBytesMax).toBe(5 * 2 ** 30);
    expect(parseConfig(['-retention.maxDiskUsagePercent=100'], {}).diskPercentMax).toBe(100);
    expect(refusal(['-retention.maxDiskUsagePercent=101'])).toContain('from 0 to 100, got "101"');
  });

  test('exclude each other, also across command line and environment; 0 is no limit', () => {
    const message =
      '-retention.maxDiskSpaceUsageBytes and -retention.maxDiskUsagePercent exclude each other; remove one of them';
    const inBytes = '-retention.maxDiskSpaceUsageBytes=1GB';
    expect(refusal([inBytes, '-retention.maxDiskUsagePercent=80'])).toBe(message);
    expect(refusal([inBytes, '-envflag.enable'], { retention_maxDiskUsagePercent: '80' })).toBe(message);
    expect(parseConfig([inBytes, '-retention.maxDiskUsagePercent=0'], {}).diskBytesMax).toBe(1e9);
  });
});

describe('secrets', () => {
  test('are masked wherever flags are shown, set or not', () => {
    const secrets = flagTable.filter((row) => row.isSecret).map((row) => row.name);
    expect(secrets).toEqual([
      'forceFlushAuthKey',
      'forceMergeAuthKey',
      'partitionManageAuthKey',
      'archiveDeleteAuthKey',
      'deleteAuthKey',
      'metricsAuthKey',
      'flagsAuthKey',
      'pprofAuthKey',
      'httpAuth.password',
      'storageNode.bearerToken',
      'ingestLog.password',
      'ingestLog.syncFrom',
      'ingestLog.syncTo',
      'pushmetrics.url',
      'pushmetrics.header',
      'selfTracing.url',
      'selfTracing.header',
    ]);
    const config = parseConfig(['-metricsAuthKey=hunter2'], {});
    expect(JSON.stringify(config.shownFlags)).not.toContain('hunter2');
    expect(config.shownFlags.filter((flag) => secrets.includes(flag.name))).toEqual([
      { name: 'forceFlushAuthKey', value: 'secret', isSet: false },
      { name: 'forceMergeAuthKey', value: 'secret', isSet: false },
      { name: 'partitionManageAuthKey', value: 'secret', isSet: false },
      { name: 'archiveDeleteAuthKey', value: 'secret', isSet: false },
      { name: 'deleteAuthKey', value: 'secret', isSet: false },
      { name: 'metricsAuthKey', value: 'secret', isSet: true },
      { name: 'flagsAuthKey', value: 'secret', isSet: false },
      { name: 'pprofAuthKey', value: 'secret', isSet: false },
      { name: 'httpAuth.password', value: 'secret', isSet: false },
      { name: 'storageNode.bearerToken', value: 'secret', isSet: false },
      { name: 'ingestLog.password', value: 'secret', isSet: false },
      { name: 'ingestLog.syncFrom', value: 'secret', isSet: false },
      { name: 'ingestLog.syncTo', value: 'secret', isSet: false },
      { name: 'pushmetrics.url', value: 'secret', isSet: false },
      { name: 'pushmetrics.header', value: 'secret', isSet: false },
      { name: 'selfTracing.url', value: 'secret', isSet: false },
      { name: 'selfTracing.header', value: 'secret', isSet: false },
    ]);
  });

  test('come from files and variables, which are shown as written, for every flag', () => {
    using folder = new TemporaryFolder();
    const file = join(folder.path, 'key');
    writeFileSync(file, 'hunter2\n');
    const argv = [`-metricsAuthKey=file://${file}`, '-search.maxTraces=%{MOST}', '-envflag.enable'];
    const config = parseConfig(argv, { MOST: '7', flagsAuthKey: '%{KEY}', KEY: 'hunter3' });
    expect(config).toMatchObject({ metricsAuthKey: 'hunter2', flagsAuthKey: 'hunter3', searchTracesMax: 7 });
    expect(JSON.stringify(config.shownFlags)).not.toContain('hunter');
    expect(config.shownFlags).toContainEqual({ name: 'search.maxTraces', value: '%{MOST}', isSet: true });
  });

  test('from a file or a variable are not part of a refusal', () => {
    const message = refusal(['-search.maxTraces=%{SECRET}'], { SECRET: 'hunter2' });
    expect(message).toBe('flag -search.maxTraces: expected a whole number from 1 to 10000');
    expect(refusal(['-metricsAuthKey=file:///no/such'])).toMatch(
      /^flag -metricsAuthKey: cannot read .* \/no\/such: ENOENT/,
    );
    expect(refusal(['-metricsAuthKey=%{NONE}'])).toContain('the environment variable "NONE" in it is not set');
  });

  test.each([
    'ingestLog=nats://me:hunter2@a:1',
    'ingestLog.monitor=http://me:hunter2@a:1',
    'storageNode=http://me:hunter2@a:1',
  ])('before the host of an URL that is refused are not part of the refusal: -%s', (flag) => {
    const message = refusal([`-${flag}`]);
    expect(message).toMatch(/expected .*:\/\/secret@a:1/);
    expect(message).not.toContain('hunter2');
  });

  test('a list of nodes in a file stays a file, because it is read again while the process runs', () => {
    expect(parseConfig(['-storageNode=file:///no/such'], {}).storageNodes).toEqual([
      { kind: 'file', path: '/no/such' },
    ]);
  });

  test('are masked in the title of the process', () => {
    expect(maskedArguments(['-metricsAuthKey=a=b', '--flagsAuthKey', '-retentionPeriod=7d'])).toEqual([
      '-metricsAuthKey=secret',
      '--flagsAuthKey',
      'secret',
    ]);
    expect(maskedArguments(['-retentionPeriod=7d', '--flagsAuthKey', 'x', '-help'])).toEqual([
      '-retentionPeriod=7d',
      '--flagsAuthKey',
      'secret',
      '-help',
    ]);
    expect(maskedArguments(['-retentionPeriod=7d', 'verify', '/x'])).toBeUndefined();
  });

  test('are not repeated in an error', () => {
    expect(refusal(['-metricsAuthKey=hunter2', '-metricsAuthKey=hunter3'])).not.toContain('hunter');
  });
});

describe('the table', () => {
  test('has each name once, and a meaning, a reason and an example for each', () => {
    expect(new Set(flagTable.map((row) => row.name)).size).toBe(flagTable.length);
    for (const row of flagTable) {
      expect(row.meaning, row.name).toMatch(/^[A-Z].*\.$/);
      expect(row.reason, row.name).toMatch(/\.$/);
      expect(row.example, row.name).toMatch(new RegExp(`^-${row.name.replaceAll('.', '\\.')}(=|$)`));
    }
  });

  test('every example works, and changes the default', () => {
    const defaults = parseConfig([], {});
    const empty = (): string => '';
    const ui = parseConfig(['-jaegerui.dir=x'], {}).jaegerUiDir;
    /** What a flag is refused without. */
    const MORE: Readonly<Record<string, readonly string[]>> = {
      'jaegerui.config': ['-jaegerui.dir=x'],
      ingestLog: ['-ingestLog.nodes=1'],
      'ingestLog.nodes': ['-ingestLog=nats://h:1'],
      'ingestLog.syncFrom': ['-ingestLog=nats://h:1', '-ingestLog.nodes=1'],
    };
    const MORE_KEYS: Readonly<Record<string, readonly string[]>> = {
      ingestLog: ['logNodes'],
      'ingestLog.nodes': ['ingestLog'],
      'ingestLog.syncFrom': ['ingestLog', 'logNodes'],
    };
    for (const row of flagTable) {
      const more = [...(MORE[row.name] ?? [])];
      const needed = MORE_KEYS[row.name] ?? [];
      const config = parseConfig([row.example, ...more], {}, empty);
      expect(config.shownFlags.find((flag) => flag.name === row.name)).toMatchObject({ isSet: true });
      const changed = Object.keys(config).filter((key) => {
        return (
          key !== 'shownFlags' &&
          config[key as keyof Config] !== ui &&
          !needed.includes(key) &&
          JSON.stringify(config[key as keyof Config]) !== JSON.stringify(defaults[key as keyof Config])
        );
      });
      expect(changed, row.example).toHaveLength(1);
    }
  });

  test('-help shows every flag with its default', () => {
    const help = helpText();
    for (const row of flagTable) expect(help).toContain(`  -${row.name} `);
    expect(help).toContain('-retentionPeriod <duration; a bare number is months> (default 7d)');
    expect(help).toContain('-otlpGRPCListenAddr <address, or empty for off> (default 127.0.0.1:4317)');
    expect(help).toContain('-version (default false)');
    expect(help).not.toContain('`');
  });

  test('durations and sizes are exported for others', () => {
    expect([parseDurationMs('1h'), parseBytes('1KiB')]).toEqual([3_600_000, 1_024]);
  });
});
