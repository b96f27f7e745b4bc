// `tracelith doctor` on real folders: what it says, its exit code, and that it leaves nothing behind.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { takeLock } from '../../src/disk/lock.ts';
import { runTool } from '../../src/tools/run-tool.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const LISTENERS = ['httpListenAddr', 'otlpHTTPListenAddr', 'otlpGRPCListenAddr', 'grpc.listenAddr'];

async function run(...args: string[]): Promise<{ code: number; output: string }> {
  let output = '';
  const write = (text: string): void => void (output += text);
  const terminal = { out: write, err: write, isInteractive: false };
  const program = { version: '1.2.3', parseConfig: (flags: readonly string[]) => parseConfig(flags, {}) };
  const free = LISTENERS.map((flag) => `-${flag}=`).filter((flag) => !args.some((arg) => arg.startsWith(flag)));
  const code = await runTool('doctor', [...args, ...free.map((flag) => `${flag}127.0.0.1:0`)], terminal, program);
  return { code, output };
}

test('a new directory is looked at from above, and nothing is made', async () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'not', 'yet');
  const { code, output } = await run(`-storageDataPath=${path}`, '-retention.maxDiskUsagePercent=80');
  expect(output).toMatch(/^tracelith 1\.2\.3, Node v\d+\.\d+\.\d+, /);
  expect(output).toContain(`flag  -storageDataPath=${JSON.stringify(path)}\n`);
  expect(output).toContain(`${path} is not there yet; it will be in ${folder.path} on `);
  expect(output).toMatch(/^ok {4}disk: +fdatasync [\d.]+ ms|^(note|warn) +disk: +fdatasync/m);
  expect(output).toMatch(/^ok {4}clock: /m);
  expect(code).toBe(0);
  expect(readdirSync(folder.path)).toEqual([]);
});

test('a directory in use, its days and an address in use are named; it is safe beside the node', async () => {
  using folder = new TemporaryFolder();
  mkdirSync(join(folder.path, 'partitions', '20261128'), { recursive: true });
  using _lock = takeLock(folder.path);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as { port: number };
  const { code, output } = await run(`-storageDataPath=${folder.path}`, `-httpListenAddr=127.0.0.1:${port}`).finally(
    () => taken.close(),
  );
  expect(output).toMatch(new RegExp(`^note +address: +-httpListenAddr=127.0.0.1:${port}: .*EADDRINUSE`, 'm'));
  expect(output).toMatch(
    /note {2}store: +1 days stored, 20261128 to 20261128; this process \(pid \d+\) already uses this data directory/,
  );
  expect([code, readdirSync(folder.path).sort()]).toEqual([0, ['flock.lock', 'partitions']]);
});

test('what cannot work is 1, what is no flag 2', async () => {
  using folder = new TemporaryFolder();
  const file = join(folder.path, 'file');
  writeFileSync(file, '');
  const bad = await run(`-storageDataPath=${file}`);
  expect([bad.code, bad.output]).toEqual([
    1,
    expect.stringMatching(
      /fail {2}directory: .* is a file\n +→ choose another[^]*a node would not work here: 2 to repair/,
    ),
  ]);
  const wrong = await run('-noSuchFlag');
  expect([wrong.code, wrong.output]).toEqual([
    2,
    'tracelith doctor: unknown flag -noSuchFlag; -help lists every flag\n',
  ]);
});
