// The logins of a process: which addresses may be open, and a file that is taken up when it changes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openAccess, type OpenedAccess } from '../../../src/api/access/open-access.ts';
import { createLogger } from '../../../src/base/logger.ts';
import { hashSecret } from '../../../src/base/password-hash.ts';
import { parseConfig } from '../../../src/config.ts';
import { TemporaryFolder } from '../../storage/open-store.ts';

function open(flags: readonly string[], lines: string[] = []): OpenedAccess {
  const logger = createLogger({ write: (line) => void lines.push(line) });
  return openAccess({ config: parseConfig(flags, {}), logger, countFailure: () => undefined });
}

describe('an address that other machines reach', () => {
  test.each([
    '-httpListenAddr=:10428',
    '-otlpHTTPListenAddr=0.0.0.0:4318',
    '-otlpGRPCListenAddr=[::]:4317',
    '-grpc.listenAddr=10.1.2.3:17271',
    '-httpListenAddr=traces.example:80',
  ])('%s is refused unless somebody has to log in, or it is meant', (flag) => {
    const name = flag.split('=')[0]!;
    const refused = expect.objectContaining({
      code: 'CONFIG',
      message: expect.stringContaining(name) as string,
    }) as Error;
    expect(() => open([flag])).toThrow(refused);
    using meant = open([flag, '-insecure']);
    using guarded = open([flag, '-httpAuth.username=a', '-httpAuth.password=b']);
    expect([meant.access.isOpen, guarded.access.isOpen]).toEqual([true, false]);
  });

  test.each(['127.0.0.1:1', '127.9.9.9:1', 'localhost:1', '[::1]:1'])('%s is none', (address) => {
    using opened = open([`-httpListenAddr=${address}`, '-otlpGRPCListenAddr=']);
    expect(opened.access.isOpen).toBe(true);
  });
});

describe('the file of -auth.config', () => {
  const tokens = (...names: string[]): string =>
    JSON.stringify({
      tokens: names.map((name) => ({
        name,
        sha256: hashSecret(name).toString('hex'),
        scopes: ['query'],
        tenants: ['*'],
      })),
    });

  test('is taken up when it changes; one with a mistake leaves those before in force', async () => {
    using folder = new TemporaryFolder();
    const path = join(folder.path, 'auth.json');
    const lines: string[] = [];
    writeFileSync(path, tokens('a'));
    using opened = open([`-auth.config=${path}`], lines);
    const isIn = async (token: string): Promise<boolean> => {
      const caller = { authorization: `Bearer ${token}`, address: token, certificateNames: undefined };
      return await Promise.resolve(caller)
        .then((asked) => opened.access.logIn(asked))
        .then(
          () => true,
          () => false,
        );
    };
    expect([await isIn('a'), await isIn('b')]).toEqual([true, false]);
    writeFileSync(path, '{"tokens": [hunter2]}');
    await expect.poll(() => lines.at(-1), { timeout: 10_000 }).toContain('those before stay in force');
    expect([await isIn('a'), await isIn('b')]).toEqual([true, false]);
    writeFileSync(path, tokens('b', 'c'));
    await expect.poll(() => lines.at(-1), { timeout: 10_000 }).toContain('tokens=2');
    expect([await isIn('a'), await isIn('b')]).toEqual([false, true]);
    expect(lines.join('')).not.toContain('hunter2');
  });

  test.each([
    ['', '-auth.config=PATH: expected JSON'],
    ['{"tokens":[{}]}', '-auth.config=PATH: tokens[0].sha256: expected a text, it is missing'],
  ])('%j is refused at the start', (text, message) => {
    using folder = new TemporaryFolder();
    const path = join(folder.path, 'auth.json');
    writeFileSync(path, text);
    const refused = expect.objectContaining({ code: 'CONFIG', message: message.replace('PATH', path) }) as Error;
    expect(() => open([`-auth.config=${path}`])).toThrow(refused);
  });

  test('that is not there is refused at the start, as is half a user', () => {
    expect(() => open(['-auth.config=/no/such'])).toThrow(/^-auth\.config=\/no\/such: ENOENT/);
    expect(() => open(['-httpAuth.username=a'])).toThrow('-httpAuth.username needs -httpAuth.password');
  });
});
