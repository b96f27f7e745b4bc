// backup.sh and restore.sh for real: rsync, curl, the program, and a load that goes on meanwhile. Skipped by name where
// rsync or curl is not installed; .ci/run installs them.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askJson, force, readMetrics, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { encodeRequest, type OtlpRequest } from '../support/otlp-proto.ts';

const root = new URL('../../', import.meta.url).pathname;
const hasTools = ['rsync', 'curl'].every((tool) => spawnSync(tool, ['--version']).status === 0);
const DAY_MS = 86_400_000;
const dayName = (ms: number): string => new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');
/** Fixed at the start: a test that runs over midnight goes on with the same days. */
const todayMs = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const TODAY = dayName(todayMs);
const YESTERDAY = dayName(todayMs - DAY_MS);

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a script of deploy/backup while this process goes on. */
function run(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(root, 'deploy/backup', script), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
    child.on('error', reject).on('close', (code) => resolve({ code, output }));
  });
}

async function succeeds(script: string, ...args: string[]): Promise<string> {
  const { code, output } = await run(script, args);
  expect([code, output]).toEqual([0, output]);
  return output;
}

/** Trace `n` of a day: two spans, the same for the same numbers. */
function traceOf(dayMs: number, n: number): OtlpRequest {
  const startTimeUnixNano = BigInt(dayMs) * 1_000_000n + BigInt(n) * 1_000_000n;
  const spans = [1, 2].map((one) => ({
    traceId: idOf(dayMs, n),
    spanId: Uint8Array.of(1, 2, 3, one, n >>> 24, n >>> 16, n >>> 8, n),
    name: `op-${n % 7}`,
    kind: 2,
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + 5_000n,
    attributes: [{ key: 'order', value: { stringValue: `${dayMs}-${n}-${'x'.repeat(n % 90)}` } }],
  }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  return { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
}

function idOf(dayMs: number, n: number): Uint8Array {
  const id = Buffer.alloc(16);
  id.writeUInt32BE(dayMs / DAY_MS, 0);
  id.writeUInt32BE(n + 1, 12);
  return id;
}

/** Sends traces of a day one after the other until it is told to stop. */
class Load {
  acknowledged = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(node: TestNode, dayMs: number) {
    this.#running = (async (): Promise<void> => {
      for (; !this.#isOver; this.acknowledged++) await sendTo(node, traceOf(dayMs, this.acknowledged));
    })();
  }

  async reaches(count: number): Promise<void> {
    const deadlineMs = performance.now() + 20_000;
    while (this.acknowledged < count) {
      if (performance.now() > deadlineMs) throw new Error(`only ${this.acknowledged} of ${count} traces in time`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<number> {
    this.#isOver = true;
    await this.#running;
    return this.acknowledged;
  }
}

/** Numbers below `count` whose trace the node does not have whole. */
async function missing(node: TestNode, dayMs: number, count: number): Promise<number[]> {
  const lost: number[] = [];
  for (let n = 0; n < count; n++) {
    const id = Buffer.from(idOf(dayMs, n)).toString('hex');
    const response = await fetch(`${node.url}/api/traces/${id}`);
    const { data } = (await response.json()) as { data: { spans: unknown[] }[] | null };
    if (data?.[0]?.spans.length !== 2) lost.push(n);
  }
  return lost;
}

async function post(node: TestNode, path: string): Promise<string> {
  const response = await fetch(`${node.url}/internal/partition/${path}`, { method: 'POST' });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text}`);
  return text;
}

const copied = (output: string): number => Number(/: (\d+) files copied/.exec(output)?.[1]);

describe.skipIf(!hasTools)('backup and restore with rsync', () => {
  let folder: string;
  let backup: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tracelith-backup-'));
    backup = join(folder, 'backup');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test(
    'under load: all that was acknowledged before the backup is in a fresh node after the restore',
    { timeout: 120_000 },
    async () => {
      await using node = await startNode({ flags: ['-inmemoryDataFlushInterval=1s'] });
      await using fresh = await startNode();
      const old = new Load(node, todayMs - DAY_MS);
      await old.reaches(40);
      await old.stop();
      const load = new Load(node, todayMs);
      await load.reaches(150);
      const first = load.acknowledged;
      await succeeds('backup.sh', '--to', backup, '--url', node.url);
      await load.reaches(load.acknowledged + 100);
      await force(node, 'merge');
      const second = load.acknowledged;
      const output = await succeeds('backup.sh', '--to', backup, '--url', node.url);
      expect(second).toBeGreaterThan(first);
      await load.stop();
      expect(output).toMatch(/verified/);
      expect(readdirSync(backup).sort()).toEqual([YESTERDAY, TODAY].sort());
      expect(await post(node, 'snapshot/list'), 'the snapshots are deleted').toBe('[]');

      await succeeds('restore.sh', '--from', backup, '--data', fresh.dataPath, '--url', fresh.url, '--all');
      expect(JSON.parse(await post(fresh, 'list'))).toEqual([YESTERDAY, TODAY].sort());
      expect(await missing(fresh, todayMs - DAY_MS, 40)).toEqual([]);
      expect(await missing(fresh, todayMs, second)).toEqual([]);
      await fresh.restart();
      expect(await missing(fresh, todayMs, second)).toEqual([]);
      expect((await readMetrics(fresh)).get('tracelith_corrupt_blocks_total') ?? 0).toBe(0);
      expect(await askJson(fresh, '/api/services')).toMatchObject({ data: ['shop'] });
    },
  );

  test('a second run copies only what is new', { timeout: 60_000 }, async () => {
    await using node = await startNode({ flags: ['-inmemoryDataFlushInterval=1h'] });
    for (let part = 0; part < 5; part++) {
      for (let n = 0; n < 10; n++) await sendTo(node, traceOf(todayMs, 10 * part + n));
      await force(node, 'flush');
    }
    await force(node, 'merge');
    const first = await succeeds('backup.sh', '--to', backup, '--url', node.url, '--day', TODAY);
    const part = join(backup, TODAY, 'parts', readdirSync(join(backup, TODAY, 'parts'))[0]!, 'data');
    const inode = statSync(part).ino;
    const again = await succeeds('backup.sh', '--to', backup, '--url', node.url);
    // Index and manifest are new in every snapshot.
    expect([copied(first) > 4, copied(again)]).toEqual([true, 2]);
    await sendTo(node, traceOf(todayMs, 1000));
    expect(copied(await succeeds('backup.sh', '--to', backup, '--url', node.url))).toBe(3);
    expect(statSync(part).ino).toBe(inode);
  });

  test(
    'one day comes back into the running node it is missing in, or replaces what it has',
    { timeout: 60_000 },
    async () => {
      await using node = await startNode();
      for (const dayMs of [todayMs - DAY_MS, todayMs])
        for (let n = 0; n < 20; n++) await sendTo(node, traceOf(dayMs, n));
      await succeeds('backup.sh', '--to', backup, '--url', node.url);
      const restore = ['--from', backup, '--data', node.dataPath, '--url', node.url];

      for (let n = 20; n < 30; n++) await sendTo(node, traceOf(todayMs, n));
      const refused = await run('restore.sh', [...restore, '--day', TODAY]);
      expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('--replace')]);
      expect(await missing(node, todayMs, 30)).toEqual([]);

      const load = new Load(node, todayMs - DAY_MS);
      await succeeds('restore.sh', ...restore, '--day', TODAY, '--replace');
      await load.stop();
      expect(await missing(node, todayMs, 30)).toEqual(Array.from({ length: 10 }, (_, i) => 20 + i));
      expect(await missing(node, todayMs - DAY_MS, 20)).toEqual([]);
      await sendTo(node, traceOf(todayMs, 31));
      expect(existsSync(join(node.dataPath, 'restore'))).toBe(false);

      await post(node, `detach?name=${YESTERDAY}`);
      rmSync(join(node.dataPath, 'partitions', YESTERDAY), { recursive: true });
      expect(await missing(node, todayMs - DAY_MS, 20)).toHaveLength(20);
      await succeeds('restore.sh', ...restore, '--day', YESTERDAY);
      expect(await missing(node, todayMs - DAY_MS, 20)).toEqual([]);
    },
  );

  test('to and from another host, which rsync reaches by its remote shell', { timeout: 60_000 }, async () => {
    await using node = await startNode();
    for (let n = 0; n < 20; n++) await sendTo(node, traceOf(todayMs, n));
    // Stands in for ssh: `shell host command …` runs the command here.
    const shell = join(folder, 'shell');
    writeFileSync(shell, '#!/bin/sh\nshift\nexec "$@"\n', { mode: 0o755 });
    const env = { RSYNC_RSH: shell };
    const remote = `backup-host:${folder}/far/away`;
    const sent = await run('backup.sh', ['--to', remote, '--url', node.url], env);
    expect([sent.code, sent.output]).toEqual([0, expect.stringContaining('not verified here')]);
    await post(node, `detach?name=${TODAY}`);
    rmSync(join(node.dataPath, 'partitions', TODAY), { recursive: true });
    const restore = ['--from', remote, '--data', node.dataPath, '--url', node.url, '--all'];
    expect(await run('restore.sh', restore, env)).toMatchObject({ code: 0 });
    expect(await missing(node, todayMs, 20)).toEqual([]);
  });

  test('a backup that is ended by a signal ends its rsync and deletes its snapshots', { timeout: 60_000 }, async () => {
    await using node = await startNode();
    await sendTo(node, traceOf(todayMs, 0));
    // The first copy never ends by itself; it says its pid.
    const slow = `#!/bin/sh\necho $$ >'${folder}/pid'\nexec sleep 60\n`;
    writeFileSync(join(folder, 'rsync'), slow, { mode: 0o755 });
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` };
    const child = spawn(join(root, 'deploy/backup/backup.sh'), ['--to', backup, '--url', node.url], { env });
    const ended = once(child, 'close');
    const deadlineMs = performance.now() + 20_000;
    while (!existsSync(join(folder, 'pid')) && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(JSON.parse(await post(node, 'snapshot/list'))).toHaveLength(1);
    child.kill('SIGTERM');
    expect((await ended)[0]).toBe(143);
    expect(await post(node, 'snapshot/list')).toBe('[]');
    expect(() => process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 0)).toThrow('ESRCH');
  });

  test('spans of a detached day are refused so that exporters send them again, over HTTP and gRPC', async () => {
    await using node = await startNode();
    await sendTo(node, traceOf(todayMs, 0));
    await post(node, `detach?name=${TODAY}`);
    const response = await fetch(`${node.url}/insert/opentelemetry/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: Buffer.from(encodeRequest(traceOf(todayMs, 1))),
    });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
    const refused = sendTo(node, traceOf(todayMs, 1), { protocol: 'grpc' });
    await expect(refused).rejects.toMatchObject({ code: 14, message: expect.stringContaining('is detached') });
    await sendTo(node, traceOf(todayMs - DAY_MS, 1));
    await post(node, `attach?name=${TODAY}`);
    await sendTo(node, traceOf(todayMs, 1));
    expect(await missing(node, todayMs, 2)).toEqual([]);
  });

  test('a damaged backup is refused and the day of before stays', { timeout: 60_000 }, async () => {
    await using node = await startNode();
    for (let n = 0; n < 20; n++) await sendTo(node, traceOf(todayMs, n));
    await force(node, 'flush');
    await succeeds('backup.sh', '--to', backup, '--url', node.url);
    const part = join(backup, TODAY, 'parts', readdirSync(join(backup, TODAY, 'parts'))[0]!, 'data');
    const bytes = readFileSync(part);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(part, bytes);
    const restore = ['--from', backup, '--data', node.dataPath, '--url', node.url, '--all', '--replace'];
    const refused = await run('restore.sh', restore);
    expect([refused.code, refused.output]).toEqual([1, expect.stringMatching(/damaged: .*data: block at byte/)]);
    expect(await missing(node, todayMs, 20)).toEqual([]);
    // Without the check the node itself refuses what is not whole, and the day of before is attached again.
    appendFileSync(part, 'x');
    const attached = await run('restore.sh', [...restore, '--no-verify']);
    expect([attached.code, attached.output]).toEqual([1, expect.stringContaining('attached again')]);
    expect(await missing(node, todayMs, 20)).toEqual([]);
  });

  test('both ask for the key, explain themselves, and fail with a word and a code', { timeout: 60_000 }, async () => {
    await using node = await startNode({ flags: ['-partitionManageAuthKey=open sesame'] });
    await sendTo(node, traceOf(todayMs, 0));
    const key = join(folder, 'key');
    writeFileSync(key, 'open sesame\n');
    const refused = await run('backup.sh', ['--to', backup, '--url', node.url]);
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('-partitionManageAuthKey')]);
    await succeeds('backup.sh', '--to', backup, '--url', node.url, '--auth-key-file', key);
    cpSync(backup, `${backup}2`, { recursive: true });
    for (const script of ['backup.sh', 'restore.sh']) {
      expect(await succeeds(script, '--help')).toContain('--auth-key-file');
      expect((await run(script, [])).code).toBe(2);
      expect((await run(script, ['--day'])).code).toBe(2);
      expect((await run(script, ['--nonsense'])).code).toBe(2);
    }
    expect((await run('backup.sh', ['--to', backup, '--url', 'http://127.0.0.1:1'])).code).toBe(1);
    expect((await run('restore.sh', ['--from', backup, '--data', folder, '--all'])).code).toBe(1);
    expect((await run('backup.sh', ['--to', backup, '--url', node.url, '--day', '../x'])).code).toBe(2);
  });
});
