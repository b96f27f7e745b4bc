// From the entries of -storageNode to addresses, on this machine's own names and files.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resolveSources } from '../../src/cluster/resolve-nodes.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

test('addresses, names and files', async () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'nodes');
  writeFileSync(path, '# two of them\n[::1]:1 # here\n\ndns:127.0.0.1:2,b:3\n');
  const resolved = await resolveSources(
    [
      { kind: 'address', host: 'a', port: 7 },
      { kind: 'dns', name: 'localhost', port: 8 },
      { kind: 'file', path },
    ],
    nodeDisk,
  );
  const [one, named, listed] = resolved.map(({ entries }) => entries);
  expect(one).toEqual([{ addresses: ['a:7'], isFromDns: false }]);
  expect(named).toMatchObject([{ isFromDns: true }]);
  expect(JSON.stringify(named)).toContain('127.0.0.1:8');
  expect(listed).toEqual([
    { addresses: ['[::1]:1'], isFromDns: false },
    { addresses: ['127.0.0.1:2'], isFromDns: true },
    { addresses: ['b:3'], isFromDns: false },
  ]);
});

test('an entry that cannot be resolved fails alone', async () => {
  const [missing, one] = await resolveSources(
    [
      { kind: 'file', path: '/nowhere/nodes' },
      { kind: 'address', host: 'a', port: 7 },
    ],
    nodeDisk,
  );
  expect(missing?.entries).toBeInstanceOf(Error);
  expect(one?.entries).toHaveLength(1);
});
