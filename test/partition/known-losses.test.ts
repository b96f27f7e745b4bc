// What a partition says of its losses: to whom, of which times, and what a commit has still to record.
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { LOSSES_MAX, WHOLE_DAY, type Loss } from '../../src/index/losses.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { KnownLosses } from '../../src/partition/known-losses.ts';
import { listedTenants, lossesOf, lossLine, lossOfPart } from '../../src/partition/loss-records.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { memoryLog } from '../storage/open-store.ts';

const A = '0:0' as Tenant;
const B = '1:0' as Tenant;
const DAY_NS = 86_400_000_000_000n;
const place = {
  path: '/d/partitions/20261120',
  day: 20_777,
  disk: nodeDisk,
  quarantinePath: '/d/q',
  logger: memoryLog(),
};
const log: Loss = { place: 'log/1', ...WHOLE_DAY, costsNames: true, message: 'gone' };
const entry = {
  id: '00000000000000aa',
  level: 1,
  rows: 40,
  blocks: 1,
  sizeBytes: 9,
  minStartNs: 20_777n * DAY_NS + 5n,
  maxStartNs: 20_777n * DAY_NS + 7n,
  tenants: [A],
};

test('a lost part concerns its tenants and times; a log everybody, and names too', () => {
  const losses = new KnownLosses(
    place,
    { losses: [log], unrecorded: [], lost: [{ entry, message: 'no data' }] },
    { corruptBlocks: 0 },
  );
  expect(losses.count).toBe(2);
  const logLine = 'partitions/20261120/log/1: an unknown number of spans lost: gone';
  const partLine = 'partitions/20261120/parts/00000000000000aa: 40 spans lost: no data';
  expect(losses.linesFor(A, { startMin: -Infinity, startMax: Infinity })).toEqual([logLine, partLine]);
  expect(losses.linesFor(A, { startMin: 8, startMax: 9 })).toEqual([logLine]);
  expect(losses.linesFor(B, { startMin: 5, startMax: 7 })).toEqual([logLine]);
  expect(losses.listed(B, ['b'], () => ['a'])).toEqual({ items: ['a', 'b'], warnings: [logLine] });
  const damaged = losses.listed(B, ['b'], () => {
    throw new StoreError('CORRUPTION', 'a page');
  });
  expect(damaged).toEqual({ items: ['b'], warnings: [logLine, 'a page'] });
  losses.clear();
  expect([losses.count, losses.linesFor(A, WHOLE_DAY)]).toEqual([0, []]);
});

test('what could not be recorded goes with the next commit, once', () => {
  const losses = new KnownLosses(place, { losses: [log], unrecorded: [log], lost: [] }, { corruptBlocks: 0 });
  const block = { ...log, place: 'parts/1/data 36', costsNames: false };
  expect(losses.toRecord([block])).toEqual([log, block]);
  losses.recorded([block]);
  losses.recorded([block]);
  expect([losses.count, losses.toRecord([])]).toEqual([2, []]);
});

test('as many are kept in memory as in the index', () => {
  const losses = new KnownLosses(place, { losses: [log], unrecorded: [], lost: [] }, { corruptBlocks: 0 });
  const many = Array.from({ length: LOSSES_MAX + 5 }, (_, i) => ({ ...log, place: `parts/1/data ${i}` }));
  losses.recorded(many);
  losses.recorded(many.map((loss) => ({ ...loss, place: `${loss.place}0` })));
  expect(losses.count).toBe(LOSSES_MAX + 1);
  expect(losses.lines().at(-1)).toContain(`more than ${LOSSES_MAX} blocks`);
});

test('records name what is known of a block, and take the worst of one that nothing is known of', () => {
  const path = `${place.path}/parts/1/data`;
  const blocks = [{ offset: 36, sizeBytes: 10, tenant: A, startMin: 1, startMax: 2, rowCount: 3 }];
  const damaged = [36, 99].map((offset) => ({ path, offset, sizeBytes: 10, message: 'bad' }));
  expect(lossesOf(place.path, damaged, [{ path, blocks }])).toEqual([
    { place: 'parts/1/data 36', tenants: [A], startMin: 1, startMax: 2, rows: 3, costsNames: false, message: 'bad' },
    { place: 'parts/1/data 99', ...WHOLE_DAY, costsNames: true, message: 'bad' },
  ]);
  expect(lossOfPart({ entry, message: 'x' }, 2)).toMatchObject({ startMin: 5, startMax: 7, rows: 2, tenants: [A] });
  expect(lossLine(place.path, { ...log, rows: 2 })).toContain('2 spans lost');
  const tenants = Array.from({ length: 65 }, (_, i) => ({ tenant: `${i}:0` as Tenant }));
  expect([listedTenants(tenants), listedTenants(tenants.slice(1))?.length]).toEqual([undefined, 64]);
});
