// Each fact that a node cares about, at its bounds.
import { expect, test } from 'vitest';
import { judgeMachine, type Finding, type MachineFacts } from '../../src/tools/judge-machine.ts';

const GiB = 2 ** 30;
const flags = {
  storageDataPath: '/data',
  freeDiskBytesMin: 10_000_000,
  diskBytesMax: 80 * GiB,
  diskPercentMax: 0,
  futureRetentionMs: 2 * 86_400_000,
};
const good: MachineFacts = {
  nowMs: Date.UTC(2026, 10, 29),
  folder: { path: '/data', isThere: true, isDirectory: true, mode: 0o700, isOwn: true, fileSystem: 'ext4' },
  freeBytes: 60 * GiB,
  totalBytes: 100 * GiB,
  lockedBy: undefined,
  days: ['20261128', '20261129'],
  speed: { syncP50Ms: 2, syncMaxMs: 9, writeBytesPerSecond: 500 << 20 },
  cores: 2,
  availableBytes: 4 * GiB,
  allowedBytes: 2 * GiB,
  descriptors: 20_000,
  descriptorsNeeded: 8_000,
  addresses: { 'httpListenAddr=:10428': undefined },
};

test('a good machine is all ok', () => {
  expect(judgeMachine(good, flags).filter(({ level }) => level !== 'ok')).toEqual([]);
});

const folder = (change: Partial<MachineFacts['folder']>): Partial<MachineFacts> => ({
  folder: { ...good.folder, ...change },
});
const speed = (change: Partial<NonNullable<MachineFacts['speed']>>): Partial<MachineFacts> => ({
  speed: { ...good.speed!, ...change },
});

test.each<[string, Partial<MachineFacts>, Partial<typeof flags>, [Finding['level'], RegExp]]>([
  ['a file', folder({ isDirectory: false }), {}, ['fail', /is a file.*choose another/]],
  ['memory', folder({ fileSystem: 'tmpfs' }), {}, ['warn', /loses everything.*ext4 or xfs/]],
  ['a network', folder({ fileSystem: 'nfs4' }), {}, ['warn', /over a network/]],
  ['fuse', folder({ fileSystem: 'fuse.sshfs' }), {}, ['warn', /the program behind it/]],
  ['a container', folder({ fileSystem: 'overlay' }), {}, ['warn', /mount a volume/]],
  ['another user', folder({ isOwn: false }), {}, ['warn', /owned by another user/]],
  ['open to others', folder({ mode: 0o750 }), {}, ['warn', /mode 750.*chmod 700 \/data/]],
  [
    'not there yet',
    folder({ isThere: false, path: '/', mode: 0o755, isOwn: false }),
    {},
    ['ok', /\/data is not there yet/],
  ],
  ['in use', { lockedBy: 'process 7 already uses it' }, {}, ['note', /2 days stored, 20261128 to 20261129; process 7/]],
  ['full', { freeBytes: 9_999_999 }, {}, ['fail', /read-only/]],
  ['nearly full', { freeBytes: 9 * GiB }, {}, ['warn', /merges need room/]],
  ['no limit', {}, { diskBytesMax: 0 }, ['note', /only age.*80 %/]],
  ['a limit beyond the disk', {}, { diskBytesMax: 91 * GiB }, ['warn', /never be reached/]],
  ['not writable', { speed: undefined }, {}, ['fail', /not writable/]],
  ['a slow disk', speed({ syncP50Ms: 21 }), {}, ['note', /fdatasync 21.0 ms.*slow/]],
  ['a very slow disk', speed({ syncP50Ms: 201 }), {}, ['warn', /very slow.*every acknowledgement/]],
  ['a disk of few bytes', speed({ writeBytesPerSecond: 1 << 20 }), {}, ['warn', /very slow/]],
  ['a clock years behind', { nowMs: 0 }, {}, ['fail', /years behind.*NTP/]],
  ['a clock behind what is stored', { days: ['20261202'] }, {}, ['warn', /there are spans of 20261202/]],
  ['more memory than there is', { allowedBytes: 5 * GiB }, {}, ['fail', /lower -memory.allowedBytes/]],
  ['little memory', { allowedBytes: 500 << 20 }, {}, ['warn', /512 MiB/]],
  ['few descriptors', { descriptors: 1_024 }, {}, ['warn', /1024 allowed, 8000 needed.*LimitNOFILE/]],
  ['an address in use', { addresses: { x: 'EADDRINUSE' } }, {}, ['note', /EADDRINUSE.*if a node runs here/]],
])('%s', (_name, facts, change, [level, text]) => {
  const findings = judgeMachine({ ...good, ...facts }, { ...flags, ...change });
  const one = findings.find(({ found, remedy = '' }) => text.test(`${found} ${remedy}`));
  expect(one?.level, JSON.stringify(findings)).toBe(level);
  expect(findings.filter((finding) => finding !== one && finding.level !== 'ok')).toEqual([]);
});
