// Records of what is lost: kept through a restart, each once, bounded, and forgotten when they are accepted.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { acceptLosses, commitParts, listLogs, readCatalog } from '../../src/index/catalog.ts';
import { openEnvironment } from '../../src/index/environment.ts';
import { LOSSES_MAX, mayConcern, readLosses, WHOLE_DAY, type Loss } from '../../src/index/losses.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const A = '0:0' as Tenant;
const B = '1:0' as Tenant;

function loss(place: string, more: Partial<Loss> = {}): Loss {
  return { place, ...WHOLE_DAY, costsNames: false, message: `${place} is gone`, ...more };
}

test('what was recorded is there after reopening, each place once, until it is accepted', () => {
  using folder = new TemporaryFolder();
  const options = { path: join(folder.path, 'index'), disk: nodeDisk };
  const part = loss('parts/1', { tenants: [A], startMin: 5, startMax: 7, rows: 3 });
  const log = loss('log/2', { costsNames: true });
  {
    using env = openEnvironment(options);
    commitParts(env, { add: [], remove: [], losses: [part, part] });
    listLogs(env, { losses: [log, { ...part, message: 'again' }] });
  }
  using env = openEnvironment(options);
  expect(readLosses(env).toSorted((x, y) => (x.place < y.place ? -1 : 1))).toEqual([log, part]);
  acceptLosses(env, []);
  expect(readLosses(env)).toEqual([]);
});

test('beyond the bound there is one more record, of anything', () => {
  using folder = new TemporaryFolder();
  using env = openEnvironment({ path: join(folder.path, 'index'), disk: nodeDisk });
  const many = Array.from({ length: LOSSES_MAX + 20 }, (_, i) => loss(`parts/${i}`, { tenants: [A] }));
  listLogs(env, { losses: many.slice(0, LOSSES_MAX) });
  listLogs(env, { losses: many.slice(0, 1) });
  // What is known already is no loss more.
  expect(readLosses(env)).toHaveLength(LOSSES_MAX);
  listLogs(env, { losses: many });
  const kept = readLosses(env);
  expect(kept).toHaveLength(LOSSES_MAX + 1);
  expect(kept.filter((one) => mayConcern(one, B, WHOLE_DAY))).toMatchObject([{ costsNames: true }]);
});

test('log files are listed until they are flushed or gone', () => {
  using folder = new TemporaryFolder();
  using env = openEnvironment({ path: join(folder.path, 'index'), disk: nodeDisk });
  listLogs(env, { add: [3, 1, 2, 300] });
  expect(readCatalog(env).logSeqs).toEqual([1, 2, 3, 300]);
  listLogs(env, { gone: [2] });
  commitParts(env, { add: [], remove: [], flushedLogSeq: 1 });
  expect(readCatalog(env).logSeqs).toEqual([3, 300]);
});

test.each([
  [{}, true],
  [{ tenants: [A] }, true],
  [{ tenants: [B] }, false],
  [{ startMin: 0, startMax: 9 }, false],
  [{ startMin: 0, startMax: 10 }, true],
  [{ startMin: 20, startMax: 30 }, true],
  [{ startMin: 21, startMax: 30 }, false],
] as const)('a loss of %j may concern a query from 10 to 20: %s', (more, expected) => {
  expect(mayConcern(loss('x', more), A, { startMin: 10, startMax: 20 })).toBe(expected);
});
