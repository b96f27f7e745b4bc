// A full disk under LMDB, without a small file system: the child's file size limit makes pwrite fail inside the commit,
// as ENOSPC would, and prlimit lifts it again while the child lives.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { readCatalog } from '../../src/index/catalog.ts';
import { openEnvironment } from '../../src/index/environment.ts';
import { listServices } from '../../src/index/names.ts';
import type { Tenant } from '../../src/trace/tenant.ts';

const module = (name: string): string => new URL(`../../src/${name}`, import.meta.url).href;
const script = `
  import { execFileSync } from 'node:child_process';
  import { openEnvironment } from '${module('index/environment.ts')}';
  import { commitParts, readCatalog } from '${module('index/catalog.ts')}';
  import { NameSet, listServices } from '${module('index/names.ts')}';
  import { nodeDisk } from '${module('disk/node-disk.ts')}';
  const env = openEnvironment({ path: process.argv[1], disk: nodeDisk });
  function commit(n) {
    const names = new NameSet();
    for (let i = 0; i < 50; i++) names.addOperation('0:0', 's' + n, 'op' + i, 1);
    const idOf = (number) => String(number).padStart(32, '1');
    const part = { id: idOf(n), level: 1, rows: 1, blocks: 1, sizeBytes: 1, minStartNs: 1n, maxStartNs: 2n };
    commitParts(env, { add: [part], remove: n > 1 ? [idOf(n - 1)] : [], flushedLogSeq: n, names });
  }
  const failures = [];
  let n = 1;
  while (failures.length < 3 && n < 1000) {
    try { commit(n); n++; } catch (error) { failures.push(error.code + ': ' + error.message); }
  }
  const full = { n, services: listServices(env, '0:0').length, generation: readCatalog(env).generation };
  execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited']);
  for (let i = 0; i < 10; i++) commit(n++);
  console.log(JSON.stringify({ failures, full, n }));`;

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

test.skipIf(!hasPrlimit)(
  'a full disk: commits are DISK, reading goes on, and once there is space commits go on without a restart',
  () => {
    const path = mkdtempSync(join(tmpdir(), 'tracelith-full-'));
    try {
      const limited = `trap '' XFSZ; ulimit -S -f 512; exec "$0" --input-type=module-typescript -e "$1" "$2"`;
      const child = spawnSync('sh', ['-c', limited, process.execPath, script, join(path, 'index')], {
        encoding: 'utf8',
      });
      expect(child.status, child.stderr).toBe(0);
      const { failures, full, n } = JSON.parse(child.stdout) as {
        failures: string[];
        full: { n: number; services: number; generation: number };
        n: number;
      };
      expect(failures.length).toBe(3);
      for (const failure of failures)
        expect(failure).toMatch(/^DISK: .*index: LMDB (commit|write) failed: .*free space/);
      expect(full.generation).toBe(full.n - 1);
      expect(full.services).toBe(full.n - 1);
      using env = openEnvironment({ path: join(path, 'index'), disk: nodeDisk });
      expect(readCatalog(env)).toMatchObject({ generation: n - 1, flushedLogSeq: n - 1 });
      expect(listServices(env, '0:0' as Tenant).length).toBe(n - 1);
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  },
);
