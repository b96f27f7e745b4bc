import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { FailedRequests } from '../../src/storage/failed-requests.ts';
import { memoryLog, TemporaryFolder } from './open-store.ts';

const failed = { tenant: DEFAULT_TENANT, body: Uint8Array.of(1, 2, 3), error: new BugError('the scan stumbled') };

function open(path: string, keepFailedRequests: boolean, lines: string[] = []): FailedRequests {
  nodeDisk.makeDir(join(path, 'quarantine'));
  return new FailedRequests({ path, disk: nodeDisk, logger: memoryLog(lines), keepFailedRequests });
}

test('a request that met a bug is answered by a name that the log has too, and not kept unless asked for', () => {
  using folder = new TemporaryFolder();
  const lines: string[] = [];
  const requests = open(folder.path, false, lines);
  const error = requests.report(failed);
  const [name = ''] = /request-[0-9a-f]{16}/.exec(error.message) ?? [];
  expect([error.code, requests.count]).toEqual(['BUG', 1]);
  expect(lines.join('\n')).toContain(name);
  expect(lines.join('\n')).toContain('the scan stumbled');
  expect(error.message).not.toContain('stumbled');
  expect(readdirSync(join(folder.path, 'quarantine'))).toEqual([]);
});

test('asked for, its body is kept in quarantine with a note, the first 16 of them', () => {
  using folder = new TemporaryFolder();
  const requests = open(folder.path, true);
  for (let i = 0; i < 20; i++) requests.report(failed);
  const names = readdirSync(join(folder.path, 'quarantine')).toSorted();
  expect(names).toHaveLength(32);
  expect([...readFileSync(join(folder.path, 'quarantine', names[0]!))]).toEqual([1, 2, 3]);
  expect(readFileSync(join(folder.path, 'quarantine', names[1]!), 'utf8')).toContain('tenant 0:0');
});
