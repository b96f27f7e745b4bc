// Where the note goes that another node may have some of a day's spans, too: it must not be forgotten while they are there.
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Storage } from '../../src/storage/storage.ts';
import { rebuildIndexes } from '../../src/tools/rebuild-index.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { DAY_NS, NOON_NS, requestOf } from '../storage/stored-spans.ts';

const NOON = 1 << 12;

/** By day, the newest first. */
function strayHours(storage: Storage): (number | undefined)[] {
  const view = storage.takeView(DEFAULT_TENANT, {});
  storage.releaseView(view.id);
  return view.partitions.map((partition) => partition.strayHours);
}

test('strays are noted with the first spans of their day, and stay noted after a kill, a merge, a rebuild and a restore', async () => {
  using folder = new TemporaryFolder();
  let storage = openStore(folder.path);
  const write = (startNs: bigint, isStray: boolean): Promise<unknown> => {
    const strays = isStray ? { startMinNs: startNs, startMaxNs: startNs } : undefined;
    return storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 4, startNs: () => startNs }), undefined, {
      strays,
    });
  };
  await write(NOON_NS - DAY_NS, false);
  expect(strayHours(storage)).toEqual([0]);
  await write(NOON_NS, true);
  expect(strayHours(storage)).toEqual([NOON, 0]);
  storage.abandon();

  storage = openStore(folder.path);
  expect(strayHours(storage)).toEqual([NOON, 0]);
  await storage.forceMerge('');
  const [snapshot] = await storage.createSnapshots('20261120');
  await storage.close();
  const quiet = { out: () => undefined, err: () => undefined, isInteractive: false };
  expect(rebuildIndexes(folder.path, quiet)).toBe(0);
  storage = openStore(folder.path);
  expect(strayHours(storage)).toEqual([NOON, 0]);
  await storage.close();

  using other = new TemporaryFolder();
  cpSync(snapshot!, join(other.path, 'partitions', '20261120'), { recursive: true });
  const restored = openStore(other.path);
  expect(strayHours(restored)).toEqual([NOON]);
  await restored.close();
});
