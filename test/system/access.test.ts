// Logins and secrets of the real program: what its clients, its operator and the other users of its machine see.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callExport } from '../support/node-client.ts';
import { runProgram, startNode, type TestNode } from '../support/node-process.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { oneSpan } from '../support/one-span.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const SECRET = 'hunter2-hunter2';
const basic = `Basic ${Buffer.from(`ann:${SECRET}`).toString('base64')}`;
const folder = new TemporaryFolder();
const keyFile = join(folder.path, 'key');
writeFileSync(keyFile, `${SECRET}\n`);

let node: TestNode;
beforeAll(async () => {
  node = await startNode({
    through: ['env', `TRACELITH_SECRET=${SECRET}`],
    flags: [
      '-httpAuth.username=ann',
      `-httpAuth.password=${SECRET}`,
      `-metricsAuthKey=file://${keyFile}`,
      '-flagsAuthKey=%{TRACELITH_SECRET}',
    ],
  });
});
afterAll(async () => {
  await node[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(node.url + path, { headers });

describe('a login', () => {
  test('is needed over HTTP and gRPC, and works over both', async () => {
    const refused = await get('/api/services');
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="Tracelith", charset="UTF-8", Bearer realm="Tracelith"',
    ]);
    expect((await get('/health')).status).toBe(200);
    expect((await get('/api/services', { authorization: basic })).status).toBe(200);
    const body = encodeRequest(oneSpan(1));
    await expect(callExport(node.grpcAddress, body)).rejects.toMatchObject({ code: 16 });
    await expect(callExport(node.grpcAddress, body, { authorization: 'Basic eDp5' })).rejects.toMatchObject({
      code: 16,
    });
    await callExport(node.grpcAddress, body, { authorization: basic });
    expect(await (await get('/api/services', { authorization: basic })).json()).toMatchObject({ total: 1 });
    expect(node.log()).toContain('a login failed from=');
  });

  test('or its own key opens what has one, from a file and from a variable', async () => {
    for (const path of ['/metrics', '/flags']) {
      expect((await get(path)).status).toBe(401);
      expect((await get(`${path}?authKey=${SECRET}`)).status).toBe(200);
      expect((await get(`${path}?authKey=file://${keyFile}`)).status).toBe(401);
      expect((await get(path, { authorization: basic })).status).toBe(200);
    }
  });
});

describe('a secret', () => {
  test('is in no flag, metric, log line or error', async () => {
    await get(`/metrics?authKey=wrong-${SECRET}`);
    await get('/api/services', { authorization: `Bearer ${SECRET}` });
    for (const path of ['/flags', '/metrics']) {
      const text = await (await get(path, { authorization: basic })).text();
      expect(text).toContain('metricsAuthKey');
      expect(text).not.toContain(SECRET);
    }
    expect(node.log()).not.toContain(SECRET);
    const { output } = await runProgram([`-httpAuth.password=${SECRET}`, `-httpListenAddr=${SECRET}:x`]);
    expect(output.replace(`got "${SECRET}:x"`, '')).not.toContain(SECRET);
  });

  test('on the command line is masked in what other users see of the process', () => {
    const title = readFileSync(`/proc/${node.pid}/cmdline`, 'latin1');
    expect(title).toContain('-httpAuth.password=secret');
    expect(title).not.toContain(SECRET);
  });
});

test('what is stored is for the user of the process alone', async () => {
  await callExport(node.grpcAddress, encodeRequest(oneSpan(2)), { authorization: basic });
  const force = { method: 'POST', headers: { authorization: basic } };
  expect((await fetch(`${node.url}/internal/force_flush`, force)).status).toBe(200);
  expect((await fetch(`${node.url}/internal/partition/snapshot/create`, force)).status).toBe(200);
  const names = readdirSync(node.dataPath, { recursive: true, encoding: 'utf8' });
  expect(names.length).toBeGreaterThan(10);
  const open = ['.', ...names].filter((name) => (statSync(join(node.dataPath, name)).mode & 0o077) !== 0);
  expect(open).toEqual([]);
});

test('no signal opens an inspector', async () => {
  process.kill(node.pid, 'SIGUSR1');
  // Nothing tells that it will not open but time.
  await delay(300);
  expect(node.log()).not.toContain('Debugger');
  expect((await get('/health')).status).toBe(200);
});

test('an address that other machines reach is refused without a login, before anything is created', async () => {
  const path = join(folder.path, 'none');
  const { exitCode, output } = await runProgram([`-storageDataPath=${path}`, '-httpListenAddr=:0']);
  expect([exitCode, output]).toEqual([2, expect.stringContaining('nobody has to log in')]);
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
});

test('with -adminListenAddr the program serves what is for operators there, and nowhere else', async () => {
  await using node = await startNode({ flags: ['-adminListenAddr=127.0.0.1:0'] });
  const [, admin] = /\badmin=(\S+)/.exec(node.log()) ?? [];
  for (const path of ['/metrics', '/flags', '/internal/tenants', '/debug/threads']) {
    const status = async (url: string): Promise<number> => (await fetch(url + path)).status;
    expect([path, await status(node.url), await status(`http://${admin}`)]).toEqual([path, 404, 200]);
  }
  for (const url of [node.url, `http://${admin}`]) expect((await fetch(`${url}/api/services`)).status).toBe(200);
  const { exitCode, output } = await runProgram(['-adminListenAddr=0.0.0.0:0', `-storageDataPath=${node.dataPath}-2`]);
  expect([exitCode, output]).toEqual([2, expect.stringContaining('-adminListenAddr=0.0.0.0:0: other machines reach')]);
});
