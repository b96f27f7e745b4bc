// The package as its user gets it: packed, installed into an empty folder, started from there, sent a trace. It runs compiled
// JavaScript, so that every thread must find its file among it.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROTOCOLS, sendTo } from '../support/node-client.ts';
import { runProgram, startNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { copyRepository, pack, run, version } from '../support/repository-copy.ts';
import { root } from '../support/source-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'tracelith-package-'));
const home = join(folder, 'home');
const installed = join(home, 'node_modules', 'tracelith');
const program = join(home, 'node_modules', '.bin', 'tracelith');
let tarball = '';

beforeAll(() => {
  copyRepository(join(folder, 'repository'));
  tarball = pack(join(folder, 'repository'));
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{}');
  run(home, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball);
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('it is small: compiled JavaScript, no sources, no Node, no development, at most 80 MB installed', () => {
  const files = filesBelow(join(home, 'node_modules'));
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  expect(bytes).toBeLessThan(80_000_000);
  const own = files.filter(
    (file) => file.startsWith(join(installed, 'dist')) || file.startsWith(join(installed, 'deploy')),
  );
  expect(own.filter((file) => /\.ts$|\.map$|\.test\.|setup\.mjs$/.test(file))).toEqual([]);
  expect(files.filter((file) => /node_modules\/(node-linux|typescript|vitest)/.test(file))).toEqual([]);
});

test('its dependencies are the exact ones of package.json', () => {
  const read = (path: string): { readonly version: string; readonly dependencies: Readonly<Record<string, string>> } =>
    JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as ReturnType<typeof read>;
  const { dependencies } = read(root);
  const there = Object.keys(dependencies).map((name) => [name, read(join(home, 'node_modules', name)).version]);
  expect(Object.fromEntries(there)).toEqual(dependencies);
});

describe('the program', () => {
  test('takes spans over every protocol, keeps them over a restart, and its threads find their files', async () => {
    await using node = await startNode({ program });
    for (const [trace, protocol] of PROTOCOLS.entries()) await sendTo(node, oneSpan(trace + 1), { protocol });
    // A flush and a merge run in threads of their own, a large JSON body is parsed in one, a query in another.
    for (const path of ['force_flush', 'force_merge']) {
      const reply = await fetch(`${node.url}/internal/${path}`, { method: 'POST' });
      expect(reply.status, await reply.text()).toBe(200);
    }
    const padding = ' '.repeat(8 << 20);
    const large = await fetch(`${node.url}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"resourceSpans":[]${padding}}`,
    });
    expect(large.status, await large.text()).toBe(200);
    await node.restart();
    for (const trace of PROTOCOLS.keys()) {
      const reply = await fetch(`${node.url}/api/traces/${String(trace + 1).padStart(32, '0')}`);
      expect(reply.status, await reply.text()).toBe(200);
    }
    expect(await (await fetch(`${node.url}/api/services`)).json()).toMatchObject({ data: ['s'] });
    expect(node.log()).not.toMatch(/ERR_|Cannot find|worker.*(died|failed)/);
    expect(await node.stop()).toBe(0);
  });

  test('traces itself, although no package of OpenTelemetry is installed for it', async () => {
    const packages = readdirSync(join(home, 'node_modules', '@opentelemetry'));
    expect(packages.filter((name) => /^(sdk|exporter|otlp)/.test(name))).toEqual([]);
    await using node = await startNode({ program, flags: ['-selfTracing.url=self', '-selfTracing.ratio=1'] });
    await sendTo(node, oneSpan(1));
    const exported = async (): Promise<string> => await (await fetch(`${node.url}/metrics`)).text();
    await expect.poll(exported, { timeout: 20_000 }).toMatch(/^tracelith_self_spans_total\{outcome="ok"\} [1-9]/m);
  });

  test('is found by npx, and runs the tools', () => {
    expect(run(home, 'npx', '--no-install', 'tracelith', '-version')).toBe(`tracelith ${version}\n`);
    cpSync(join(root, 'fixtures/format/v2/store'), join(folder, 'store'), { recursive: true });
    expect(run(home, 'npx', '--no-install', 'tracelith', 'verify', join(folder, 'store'))).toMatch(/: intact\n$/);
  });

  test('is installed globally, and started through the link in bin/', async () => {
    const prefix = join(folder, 'prefix');
    run(folder, 'npm', 'install', '-g', '--prefix', prefix, '--prefer-offline', '--no-audit', '--no-fund', tarball);
    await using node = await startNode({ program: join(prefix, 'bin', 'tracelith') });
    await sendTo(node, oneSpan(1));
  });

  test('says what it needs when the Node in PATH is too old, or there is none', async () => {
    const bin = join(folder, 'old');
    mkdirSync(bin);
    for (const tool of ['sh', 'readlink', 'dirname']) symlinkSync(run(folder, 'which', tool).trim(), join(bin, tool));
    const start = async () => await runProgram(['-version'], ['env', '-i', `PATH=${bin}`], program);
    expect(await start()).toEqual({
      exitCode: 1,
      output: 'tracelith: no node in PATH: install Node 24.15 or newer\n',
    });
    for (const version of ['v20.20.2', 'v24.14.9']) {
      writeFileSync(join(bin, 'node'), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
      expect((await start()).output).toMatch(
        new RegExp(
          `^tracelith: needs Node 24.15 or newer, and .*/node is ${version.slice(1)}: install a newer one, or put one first in PATH\n$`,
        ),
      );
    }
  });
});

function filesBelow(path: string): string[] {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
