// accept-loss: names what is lost and forgets it; what the start can repair is not lost; a node in use is left alone.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { takeLock } from '../../src/disk/lock.ts';
import { listLogs } from '../../src/index/catalog.ts';
import { openEnvironment } from '../../src/index/environment.ts';
import { runTool } from '../../src/tools/run-tool.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { partitionPath, requestOf } from '../storage/stored-spans.ts';

function run(tool: string, path: string): { code: number; out: string; err: string } {
  let out = '';
  let err = '';
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = runTool(tool, [path], { ...terminal, isInteractive: false }) as number;
  return { code, out, err };
}

/** Two parts of 8 and 4 spans. */
async function makeParts(path: string): Promise<string[]> {
  const storage = openStore(path);
  for (const [first, count] of [
    [0, 8],
    [8, 4],
  ] as const) {
    await storage.write(DEFAULT_TENANT, requestOf({ first, count }));
    await storage.forceFlush();
  }
  const paths = storage.takeView(DEFAULT_TENANT, {}).partitions[0]!.parts.map((part) => part.path);
  storage.abandon();
  takeLock(path).release();
  return paths;
}

test('a lost part is named, accepted, and what is left of it put aside; one that can be repaired is repaired', async () => {
  using folder = new TemporaryFolder();
  const [lost = '', repaired = ''] = await makeParts(folder.path);
  rmSync(join(lost, 'data'));
  rmSync(join(repaired, 'metadata'));
  const { code, out } = run('accept-loss', folder.path);
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/accepted: partitions\/20261120\/parts\/\w+: \d spans lost: .*1 days: 1 losses/s),
  ]);
  expect(readdirSync(join(folder.path, 'quarantine')).filter((name) => !name.endsWith('.txt'))).toContainEqual(
    expect.stringMatching(/^partitions-20261120-parts-\w+-[0-9a-f]{16}$/),
  );
  const storage = openStore(folder.path);
  expect([(await storage.stats()).losses, storage.report.parts, storage.report.damaged]).toEqual([0, 1, []]);
  await storage.close();
  expect(run('accept-loss', partitionPath(folder.path)).out).toContain('0 losses accepted');
  expect(run('verify', folder.path)).toMatchObject({ code: 0 });
});

test('verify names a log file that is missing, and what is lost and not accepted', async () => {
  using folder = new TemporaryFolder();
  await makeParts(folder.path);
  {
    using env = openEnvironment({ path: join(partitionPath(folder.path), 'index'), disk: nodeDisk });
    listLogs(env, { add: [77] });
  }
  expect(run('verify', folder.path)).toMatchObject({ code: 1, out: expect.stringContaining('log file 77 is missing') });
  openStore(folder.path).abandon();
  expect(run('verify', folder.path)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/note: lost, not accepted: .*log/),
  });
  expect(run('accept-loss', folder.path).out).toContain('1 losses accepted');
});

test('log files begun while a snapshot was taken are not missed in it', async () => {
  using folder = new TemporaryFolder();
  await makeParts(folder.path);
  const storage = openStore(folder.path);
  const [snapshot = ''] = await storage.createSnapshots('');
  await storage.close();
  {
    using env = openEnvironment({ path: join(snapshot, 'index'), disk: nodeDisk });
    listLogs(env, { add: [77] });
  }
  rmSync(partitionPath(folder.path), { recursive: true });
  nodeDisk.rename(snapshot, partitionPath(folder.path));
  const again = openStore(folder.path);
  expect([(await again.stats()).losses, again.report.damaged]).toEqual([0, []]);
  await again.close();
});

test('a data directory in use is refused, and what is none', async () => {
  using folder = new TemporaryFolder();
  await makeParts(folder.path);
  using _lock = takeLock(folder.path);
  expect(run('accept-loss', folder.path)).toMatchObject({ code: 1, out: '' });
  expect(run('accept-loss', join(folder.path, 'quarantine'))).toMatchObject({ code: 1 });
});
