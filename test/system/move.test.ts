// `tracelith move` between real nodes: days go from one to the other, whoever is killed meanwhile, and at no moment is a span
// answered by neither.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { appendFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TemporaryFolder } from '../storage/open-store.ts';
import { fill, hexOf, piece, TODAY, YESTERDAY } from '../support/day-traces.ts';
import { ask, force, sendTo } from '../support/node-client.ts';
import { runProgram, startNode, type TestNode } from '../support/node-process.ts';
import { answersOf, startTool } from '../support/two-nodes.ts';

/** A node with two days of traces 1 to 199 that takes no more spans. */
async function fullNode(): Promise<TestNode> {
  const node = await startNode();
  await fill([node], 1, 200);
  await force(node, 'flush');
  await fill([node], 150, 200, '7:1');
  await node.restart('SIGTERM', ['-storage.readOnly']);
  return node;
}

async function post(node: TestNode, path: string): Promise<unknown> {
  const response = await fetch(`${node.url}/internal/partition/${path}`, { method: 'POST' });
  return JSON.parse(await response.text()) as unknown;
}

function argsOf(from: TestNode, to: TestNode): string[] {
  return ['move', '--from', from.url, '--to', to.url, '--data', to.dataPath];
}

async function move(
  from: TestNode,
  to: TestNode,
  ...more: string[]
): Promise<{ code: number | undefined; output: string }> {
  const { exitCode, output } = await runProgram([...argsOf(from, to), ...more]);
  return { code: exitCode, output };
}

/** Something that answers as a node without a version would. */
async function answering(texts: Readonly<Record<string, string>>): Promise<{ url: string } & Disposable> {
  const server = createServer((request, response) => {
    response.end(texts[request.url!.replace(/^.*\/|\?.*$/g, '')] ?? '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => server.close().closeAllConnections() };
}

const asked = { tenants: ['0:0', '7:1'], traceIds: Array.from({ length: 40 }, (_, n) => hexOf(5 * n)) };

/** A token for everything, and the file of -auth.config that knows its hash. */
function loginIn(
  folder: TemporaryFolder,
  name: string,
): { readonly tokenFile: string; readonly flag: string; readonly token: string } {
  const token = `tlt_${name}`;
  const entry = { name, scopes: ['ingest', 'query', 'admin'], tenants: ['*'] };
  const sha256 = createHash('sha256').update(token).digest('hex');
  const [tokenFile, configFile] = [join(folder.path, `${name}.token`), join(folder.path, `${name}.json`)];
  writeFileSync(tokenFile, `${token}\n`);
  writeFileSync(configFile, JSON.stringify({ tokens: [{ ...entry, sha256 }] }));
  return { tokenFile, token, flag: `-auth.config=${configFile}` };
}

test('with a login of its own on each end, days, traces and archived traces are moved, and synced back', async () => {
  using folder = new TemporaryFolder();
  const [from, to] = [loginIn(folder, 'source'), loginIn(folder, 'target')];
  const asTarget = { headers: { authorization: `Bearer ${to.token}` } };
  const asSource = { authorization: `Bearer ${from.token}` };
  await using a = await startNode();
  await fill([a], 1, 60);
  expect((await fetch(`${a.url}/api/archive/${hexOf(7)}`, { method: 'POST' })).status).toBe(200);
  await a.restart('SIGTERM', ['-storage.readOnly', from.flag]);
  await using b = await startNode({ flags: [to.flag] });
  // One day is on both: its spans go over the network, the other day as files.
  await sendTo(b, piece(2, 0, 1), asTarget);
  const files = ['--from-token-file', from.tokenFile, '--to-token-file', to.tokenFile];
  const swapped = ['--from-token-file', to.tokenFile, '--to-token-file', from.tokenFile];
  for (const wrong of [[], files.slice(0, 2), swapped])
    expect(await move(a, b, ...wrong)).toMatchObject({ code: 1, output: expect.stringContaining('401') });
  const moved = await move(a, b, ...files);
  expect([moved.code, moved.output]).toEqual([0, expect.stringContaining('move: 2 days moved')]);
  expect(moved.output).not.toMatch(/tlt_/);
  for (const n of [1, 2, 59]) expect((await ask(b, `/api/traces/${hexOf(n)}`, asTarget.headers))[0]).toBe(200);
  expect((await ask(a, `/api/traces/${hexOf(1)}`, asSource))[0]).toBe(404);
  expect((await ask(b, `/api/archive/${hexOf(7)}`, asTarget.headers))[0]).toBe(200);
  await using c = await startNode({ flags: [from.flag] });
  const sync = ['sync', '--from', b.url, '--to', c.url, ...swapped];
  const refused = await runProgram(sync.slice(0, 5));
  expect([refused.exitCode, refused.output]).toEqual([1, expect.stringContaining('401')]);
  const synced = await runProgram(sync);
  expect([synced.exitCode, synced.output]).toEqual([0, expect.stringContaining('equal')]);
  expect((await ask(c, `/api/traces/${hexOf(59)}`, asSource))[0]).toBe(200);
}, 120_000);

describe('move', () => {
  test('days are copied as files, attached here and detached there; both answered the same before', async () => {
    await using a = await fullNode();
    await using b = await startNode();
    const before = await answersOf(a, asked);
    const { code, output } = await move(a, b);
    expect([code, output]).toEqual([0, expect.stringContaining('move: 2 days moved')]);
    for (const day of [TODAY, YESTERDAY])
      expect(output).toMatch(new RegExp(`^${day}: \\d+ files, .* copied and verified$`, 'm'));
    expect(output.match(/ 0 traces copied, equal$/gm)?.length).toBe(4);
    expect([await post(a, 'list'), await post(b, 'list')]).toEqual([[], [YESTERDAY, TODAY]]);
    expect(await answersOf(b, asked)).toEqual(before);
    expect([await post(a, 'snapshot/list'), existsSync(join(b.dataPath, 'restore', TODAY))]).toEqual([[], false]);
    await b.restart();
    expect(await answersOf(b, asked)).toEqual(before);
  });

  test('a day that the target has too gets the spans that it lacks, while it takes spans', async () => {
    await using a = await fullNode();
    await using b = await startNode();
    await fill([b], 180, 230);
    await sendTo(b, piece(2, 3, 6));
    let isOver = false;
    const load = (async (): Promise<void> => {
      for (let n = 1_000; !isOver; n++) await sendTo(b, piece(n, 0, 2));
    })();
    const { code, output } = await move(a, b);
    isOver = true;
    await load;
    expect([code, output]).toEqual([0, expect.stringContaining('2 days moved')]);
    expect(await post(a, 'list')).toEqual([]);
    const [, , trace] = await ask(b, `/api/traces/${hexOf(2)}`);
    expect((JSON.parse(trace) as { data: { spans: unknown[] }[] }).data[0]!.spans).toHaveLength(6);
    for (const n of [1, 100, 199, 229, 1_000])
      expect([n, (await ask(b, `/api/traces/${hexOf(n)}`))[0]]).toEqual([n, 200]);
  });

  test('killed at any moment and begun again, it ends with everything on the target', async () => {
    await using a = await fullNode();
    await using b = await startNode();
    const before = await answersOf(a, asked);
    const restore = join(b.dataPath, 'restore');
    // Killed when the copy has begun, then when the first day is in place, then not at all.
    const moments = [
      () => existsSync(restore) && readdirSync(restore).length > 0,
      () => existsSync(join(b.dataPath, 'partitions', YESTERDAY)),
    ];
    for (const isReached of moments) {
      const tool = await startTool(...argsOf(a, b));
      await expect.poll(isReached, { interval: 1, timeout: 20_000 }).toBe(true);
      await tool.kill();
      for (const n of [1, 2, 199]) {
        const answers = await Promise.all([a, b].map((node) => ask(node, `/api/traces/${hexOf(n)}`)));
        expect(answers.map(([status]) => status)).toContain(200);
      }
    }
    expect((await move(a, b)).code).toBe(0);
    expect(await answersOf(b, asked)).toEqual(before);
    // A kill between the snapshot and its note leaves the snapshot to -snapshotsMaxAge.
    expect([await post(a, 'list'), readdirSync(restore)]).toEqual([[], []]);
  });

  test('a file that broke off goes on, one that is damaged is refused, and the day stays where it was', async () => {
    await using a = await fullNode();
    await using b = await startNode();
    const stage = join(b.dataPath, 'restore', TODAY);
    const parts = join(a.dataPath, 'partitions', TODAY, 'parts');
    const part = readdirSync(parts)[0]!;
    mkdirSync(join(stage, 'parts', part), { recursive: true });
    // Begins as the file does, for the first bytes are its magic; the rest is wrong.
    appendFileSync(join(stage, 'parts', part, 'data'), 'not what the snapshot has there');
    const refused = await move(a, b, '--day', TODAY);
    expect([refused.code, refused.output]).toEqual([
      1,
      expect.stringMatching(/damaged: .*data.*\n.*the copy is damaged and was removed/s),
    ]);
    expect([await post(a, 'list'), existsSync(stage)]).toEqual([[YESTERDAY, TODAY], false]);
    expect((await move(a, b, '--day', TODAY)).code).toBe(0);
    expect([await post(a, 'list'), await post(b, 'list')]).toEqual([[YESTERDAY], [TODAY]]);
  });

  test('a day that was put in place but not attached is attached', async () => {
    await using a = await fullNode();
    await using b = await startNode();
    expect((await move(a, b)).code).toBe(0);
    await post(b, `detach?name=${TODAY}`).catch(() => undefined);
    await a.restart();
    expect(await post(a, 'list')).toEqual([YESTERDAY, TODAY]);
    expect((await move(a, b)).code).toBe(0);
    expect([await post(a, 'list'), await post(b, 'list')]).toEqual([[], [YESTERDAY, TODAY]]);
  });

  test('archived traces go, too, each with every span that either node has of it', async () => {
    await using a = await startNode();
    await using b = await startNode();
    await fill([a], 1, 20);
    await sendTo(a, piece(30, 0, 2), { headers: { 'x-tenant': '7:1' } });
    await sendTo(b, piece(4, 4, 6));
    const archive = async (node: TestNode, n: number, tenant = '0:0'): Promise<number> => {
      const init = { method: 'POST', headers: { 'x-tenant': tenant } };
      return (await fetch(`${node.url}/api/archive/${hexOf(n)}`, init)).status;
    };
    expect([await archive(a, 3), await archive(a, 4), await archive(a, 30, '7:1'), await archive(b, 4)]).toEqual(
      Array.from({ length: 4 }, () => 200),
    );
    await a.restart('SIGTERM', ['-storage.readOnly']);
    expect(await move(a, b)).toMatchObject({ code: 0, output: expect.stringContaining('archive: 3 traces copied\n') });
    // The archive alone answers.
    for (const day of (await post(b, 'list')) as string[])
      await fetch(`${b.url}/internal/partition/detach?name=${day}`, { method: 'POST' });
    const spansOf = async (n: number, tenant = '0:0'): Promise<number> => {
      const [status, , text] = await ask(b, `/api/traces/${hexOf(n)}`, { 'x-tenant': tenant });
      return status === 200 ? (JSON.parse(text) as { data: { spans: unknown[] }[] }).data[0]!.spans.length : status;
    };
    expect([await spansOf(3), await spansOf(4), await spansOf(30, '7:1'), await spansOf(5)]).toEqual([4, 6, 2, 404]);
    const [, , text] = await ask(b, '/api/services');
    expect((JSON.parse(text) as { data: string[] }).data).toEqual([]);
    const again = await move(a, b);
    expect([again.code, again.output]).toEqual([0, expect.stringContaining('move: 0 days moved')]);
    await b.stop();
    expect((await runProgram(['verify', b.dataPath])).exitCode).toBe(0);
  });

  test('nodes and tools of another version of the protocol are refused', async () => {
    await using a = await startNode();
    const headers = { 'tracelith-copy-protocol': '2' };
    const refused = await fetch(`${a.url}/internal/partition/tenants?name=${TODAY}`, { method: 'POST', headers });
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('speaks version 1')]);
    using other = await answering({ list: `["${TODAY}"]`, tenants: '["0:0"]' });
    const { exitCode, output } = await runProgram(['sync', '--from', other.url, '--to', a.url]);
    expect([exitCode, output]).toEqual([1, expect.stringContaining('speaks no version of the copy protocol')]);
  });

  test('a source that takes spans, and wrong options, are refused', async () => {
    await using a = await startNode();
    await sendTo(a, piece(2, 0, 4));
    const refused = await move(a, a);
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('start it with -storage.readOnly')]);
    expect((await runProgram(['move', '--from', a.url])).exitCode).toBe(2);
    expect((await runProgram(['move', '--from', a.url, '--data', '/nowhere'])).exitCode).toBe(2);
    expect((await runProgram(['move', '--help'])).output).toContain('--data DIR');
  });
});
