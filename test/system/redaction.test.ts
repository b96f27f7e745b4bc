// Redaction on the real program: over every way in, nothing of what the rules take is in an answer or a file of the data directory;
// on an insert node nothing of it reaches the storage node.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TemporaryFolder } from '../storage/open-store.ts';
import { ask, exportText, force, PROTOCOLS, readMetrics, sendTo } from '../support/node-client.ts';
import { runProgram, startNode } from '../support/node-process.ts';
import type { OtlpRequest } from '../support/otlp-proto.ts';
import { attribute, spanId, traceOf } from '../support/rich-trace.ts';
import { RoleProcess, waitFor } from '../support/role-process.ts';

/** Long enough to be in a file as it is, whatever the compression of its surroundings. */
const SECRET = 'c0ffee-4711-do-not-store-this-text-anywhere';
const KEPT = 'plain-0815-what-stays-is-in-the-files-as-it-is';
const CARD = '4111111111111111';
const RULES = {
  rules: [
    { name: 'passwords', keys: '.*password', action: 'drop' },
    { name: 'users', keys: 'user\\.id', action: 'hash' },
    { name: 'texts', values: 'c0ffee-[a-z0-9-]+', action: 'mask' },
    { ready: 'card-numbers' },
  ],
};

function requestOf(n: number): OtlpRequest {
  const startTimeUnixNano = BigInt(Date.now()) * 1_000_000n;
  const attributes = [
    attribute('db.password', SECRET),
    attribute('user.id', SECRET),
    attribute('note', `it is ${SECRET}, ok`),
    attribute('paid', { intValue: BigInt(CARD) }),
    attribute('kept', `${KEPT} ${n}`),
  ];
  const span = {
    traceId: Buffer.alloc(16, n),
    spanId: spanId(n),
    name: `GET /${SECRET}`,
    startTimeUnixNano,
    attributes,
  };
  return traceOf([{ ...span, endTimeUnixNano: startTimeUnixNano + 1_000n }]);
}

const idOf = (n: number): string => Buffer.alloc(16, n).toString('hex');

function writeRules(folder: TemporaryFolder, rules: object = RULES): string[] {
  const [path, keyPath] = [join(folder.path, 'rules.json'), join(folder.path, 'key')];
  writeFileSync(path, JSON.stringify(rules));
  writeFileSync(keyPath, '0123456789abcdef0123456789abcdef\n');
  return [`-redaction.config=${path}`, `-redaction.keyFile=${keyPath}`];
}

/** Files below `path` that have one of the texts. */
function filesWith(path: string, texts: readonly string[]): string[] {
  const files = (readdirSync(path, { recursive: true }) as string[]).map((name) => join(path, name));
  return files.filter((file) => statSync(file).isFile() && texts.some((text) => readFileSync(file).includes(text)));
}

test('nothing of what the rules take is stored, whichever way it came', async () => {
  using folder = new TemporaryFolder();
  await using node = await startNode({ flags: writeRules(folder) });
  let n = 0;
  for (const protocol of PROTOCOLS) await sendTo(node, requestOf(++n), { protocol });
  const otherGrpc = { url: node.otlpUrl, grpcAddress: node.jaegerAddress };
  await sendTo(otherGrpc, requestOf(++n), { protocol: 'grpc' });
  const check = async (): Promise<void> => {
    for (let i = 1; i <= n; i++) {
      const text = (await exportText(node, idOf(i)))!;
      expect(text).toContain(`${KEPT} ${i}`);
      expect(text).toMatch(/hmac:[0-9a-f]{32}/);
      expect(text).toContain('it is [redacted], ok');
      expect(text).toContain('GET /[redacted]');
      for (const gone of ['c0ffee', CARD, 'password']) expect(text).not.toContain(gone);
    }
    expect(filesWith(node.dataPath, [SECRET, 'c0ffee', CARD])).toEqual([]);
  };
  await check();
  expect(filesWith(node.dataPath, [KEPT])).not.toEqual([]);
  await force(node, 'flush');
  await force(node, 'merge');
  await check();
  const metrics = await readMetrics(node);
  const counted = ['passwords', 'users', 'texts', 'card-numbers'].map((rule) =>
    metrics.get(`tracelith_redactions_total{rule="${rule}"}`),
  );
  expect(counted).toEqual([n, n, 2 * n, n]);
  expect((await ask(node, '/api/services/shop/operations'))[2]).toContain('GET /[redacted]');
  expect((await ask(node, '/flags'))[2]).not.toContain('0123456789abcdef');
  // A file that is wrong leaves the rules in force.
  writeRules(folder, { rules: [{ name: 'x', keys: '(', action: 'drop' }] });
  await waitFor('the line about the file', () => node.log().includes('those before stay in force'));
  await sendTo(node, requestOf(++n));
  await check();
}, 60_000);

test('in a cluster the insert node does it, and a storage node with the same rules changes nothing more', async () => {
  using folder = new TemporaryFolder();
  const flags = writeRules(folder);
  await using storage = await RoleProcess.storing('a', false, flags);
  await storage.start();
  await using insert = await RoleProcess.inFront('insert', storage.address, flags);
  await insert.start();
  await waitFor('the storage node', async () => (await fetch(`${insert.url}/ready`)).status === 200);
  await sendTo({ url: insert.url, grpcAddress: '' }, requestOf(1));
  const text = await (await fetch(`${storage.url}/api/traces/${idOf(1)}?prettyPrint=false`)).text();
  expect(text).toContain('it is [redacted], ok');
  expect(text).toMatch(/"hmac:[0-9a-f]{32}"/);
  expect(text).not.toContain('c0ffee');
  const counted = async ({ url }: RoleProcess): Promise<string> =>
    /tracelith_redactions_total\{rule="users"\} (\d+)/.exec(await (await fetch(`${url}/metrics`)).text())?.[1] ?? '';
  expect([await counted(insert), await counted(storage)]).toEqual(['1', '0']);
}, 120_000);

test('a wrong file ends the start with a line that names the place', async () => {
  using folder = new TemporaryFolder();
  const [config = ''] = writeRules(folder);
  const { exitCode, output } = await runProgram([`-storageDataPath=${folder.path}`, config]);
  expect([exitCode, output]).toEqual([2, expect.stringContaining('the rule users hashes: set -redaction.keyFile')]);
});
