// What `tracelith token` and `tracelith password` print, fed to the file that lets it in.
import { describe, expect, test } from 'vitest';
import { parseAuthConfig } from '../../src/api/access/auth-config.ts';
import { hashSecret, isPassword } from '../../src/base/password-hash.ts';
import { runTool } from '../../src/tools/run-tool.ts';

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [name = '', ...rest] = args;
  const said = { out: '', err: '' };
  const code = await runTool(name, rest, {
    out: (text) => (said.out += text),
    err: (text) => (said.err += text),
    isInteractive: false,
  });
  return { code, ...said };
}

const linesOf = (out: string): string[] => out.trimEnd().split('\n');

test('a token and the entry that lets it in', async () => {
  const { code, out } = await run('token', 'collector', '-scopes=ingest,query', '--tenants=0:0,7', '-days=90');
  const [, token = '', , entry = ''] = linesOf(out);
  expect([code, token]).toEqual([0, expect.stringMatching(/^tlt_[\w-]{43}$/)]);
  expect(entry).not.toContain(token);
  const [parsed] = parseAuthConfig(`{"tokens":[${entry}]}`).tokens;
  expect(parsed!.sha256).toEqual(hashSecret(token));
  expect(parsed!.granted).toMatchObject({ name: 'token collector', tenants: new Set(['0:0', '7:0']) });
  expect(parsed!.granted.expiresMs - Date.now()).toBeGreaterThan(89 * 86_400_000);
  expect((await run('token', 'collector')).out).not.toContain(token);
});

test('a password and the entry that lets it in', async () => {
  const [, password = '', , entry = ''] = linesOf((await run('password', 'ann', '-scopes=query', '-tenants=*')).out);
  const [parsed] = parseAuthConfig(`{"users":[${entry}]}`).users;
  expect(parsed).toMatchObject({ user: 'ann', granted: { tenants: undefined, expiresMs: Infinity } });
  expect(await isPassword(password, parsed!.hash)).toBe(true);
});

describe('wrong arguments', () => {
  test.each([
    [['token'], 'expected one name'],
    [['token', 'a', 'b'], 'expected one name'],
    [['token', 'a', '-scopes=write'], '-scopes: expected of ingest, query, admin, got "write"'],
    [['token', 'a', '-scopes='], '-scopes=: expected -scopes=…'],
    [['token', 'a', '-tenants=x'], '-tenants: expected ACCOUNT:PROJECT or *, got "x"'],
    [['token', 'a', '-tenants=4294967296'], '-tenants: header AccountID: expected a decimal number'],
    [['token', 'a', '-days=0'], '-days: expected a number from 1 to 36500, got "0"'],
    [['token', 'a', '-name=b'], '-name=b: expected -scopes=…'],
    [['password', 'a:b'], 'the name of a user has no colon'],
  ])('%j is refused', async (args, message) => {
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });
});
