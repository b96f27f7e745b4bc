// One log file: what is published is on disk at its place, and a cancelled append leaves nothing behind.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { readBlockAt } from '../../src/part/part-reader.ts';
import { LogFile, logFileName, parseLogFileName } from '../../src/partition/log-file.ts';
import { logFileOf, readLog, type RecoveredLogFile } from '../../src/partition/recover-log.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { blockOf } from '../part/made-blocks.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

test.each(['1.log', '0000000000000001', '000000000000000g.log', '0000000000000001-.log', '-1.log', 'x'])(
  'a log file is not named %j',
  (name) => {
    expect(parseLogFileName(name)).toBeUndefined();
  },
);

test('a log file is named by its number and its identity, in format 1 by its number', () => {
  const name = { seq: 77, identity: newIdentity() };
  expect(logFileName(name)).toBe(`000000000000004d-${name.identity}.log`);
  expect(parseLogFileName(logFileName(name))).toEqual(name);
  expect(parseLogFileName('000000000000004d.log')).toEqual({ seq: 77, identity: undefined });
});

describe('a log file', () => {
  const name = { seq: 1, identity: newIdentity() };
  const blocks = [0, 1, 2, 3].map((i) => blockOf({ first: 4 * i, count: 4, service: `s${i}` }));
  /** As a day does that opens, with what another thread has read. */
  const recover = (folder: string): RecoveredLogFile => {
    const job = { folder, name, quarantinePath: join(folder, '..', 'quarantine') };
    return logFileOf({ disk: nodeDisk, folder }, name, structuredClone(readLog(nodeDisk, job)));
  };

  test('gives every published block at its place, and the same after recovery', async () => {
    using folder = new TemporaryFolder();
    const logFile = new LogFile({ disk: nodeDisk, folder: folder.path }, name);
    const writer = logFile.openWriter(async () => undefined);
    for (const some of [blocks.slice(0, 1), blocks.slice(1, 3), blocks.slice(3)]) {
      const append = writer.append(some);
      await append.synced;
      const before = logFile.blocks.length;
      append.publish();
      expect(logFile.blocks.length - before).toBe(some.length);
    }
    await writer.seal();
    const file = nodeDisk.openRead(logFile.path);
    logFile.blocks.forEach(({ offset, header }, i) => {
      expect(Buffer.compare(readBlockAt(file, { offset, sizeBytes: header.sizeBytes }), blocks[i]!)).toBe(0);
    });
    file.close();
    expect(logFile.rowCount).toBe(16);
    expect(logFile.names.services(DEFAULT_TENANT)).toEqual(['s0', 's1', 's2', 's3']);
    const recovered = recover(folder.path);
    expect(recovered).toMatchObject({ damaged: [], tornBytes: 0 });
    expect(recovered.logFile!.blocks).toEqual(logFile.blocks);
    expect(recovered.logFile!.names.services(DEFAULT_TENANT)).toEqual(logFile.names.services(DEFAULT_TENANT));
  });

  test('takes nothing more after a cancelled append, of which nothing is left', async () => {
    using folder = new TemporaryFolder();
    const logFile = new LogFile({ disk: nodeDisk, folder: folder.path }, name);
    const writer = logFile.openWriter(async () => undefined);
    const kept = writer.append([blocks[0]!]);
    await kept.synced;
    kept.publish();
    const cancelled = writer.append([blocks[1]!]);
    expect(() => writer.append([blocks[2]!])).toThrow(BugError);
    await cancelled.synced;
    cancelled.cancel();
    expect(writer.isSealed).toBe(true);
    expect(() => writer.append([blocks[2]!])).toThrow(BugError);
    await writer.seal();
    expect(recover(folder.path)).toMatchObject({ logFile: { rowCount: 4 }, tornBytes: 0 });
  });

  test('is sealed only when its append under way has ended', async () => {
    using folder = new TemporaryFolder();
    const logFile = new LogFile({ disk: nodeDisk, folder: folder.path }, name);
    const writer = logFile.openWriter(async () => undefined);
    const append = writer.append([blocks[0]!]);
    let isSealed = false;
    const sealing = writer.seal().then(() => {
      isSealed = true;
    });
    await append.synced;
    expect(isSealed).toBe(false);
    append.publish();
    await sealing;
    expect(logFile.rowCount).toBe(4);
  });

  test('whose last block lost its content keeps a copy of it in quarantine', async () => {
    using folder = new TemporaryFolder();
    const log = join(folder.path, 'log');
    nodeDisk.makeDir(log);
    const logFile = new LogFile({ disk: nodeDisk, folder: log }, name);
    const writer = logFile.openWriter(async () => undefined);
    const append = writer.append(blocks);
    await append.synced;
    append.publish();
    await writer.seal();
    const last = logFile.blocks[3]!;
    const file = nodeDisk.openRead(logFile.path);
    const bytes = file.read(0, file.sizeBytes);
    file.close();
    bytes.fill(0, last.offset + 100);
    nodeDisk.remove(logFile.path);
    const damaged = nodeDisk.createFile(logFile.path);
    damaged.write(bytes);
    damaged.close();
    const place = `log/${logFileName(name)} ${last.offset}`;
    const { sizeBytes, rowCount } = last.header;
    for (const marks of ['kept', 'gone']) {
      // Without marks too: no write that a kill cut short has an intact header and all its length.
      if (marks === 'gone') nodeDisk.remove(`${logFile.path}.acked`);
      expect(recover(log)).toMatchObject({
        logFile: { rowCount: 12 },
        damaged: [expect.stringContaining(`${sizeBytes} bytes behind byte ${last.offset}`)],
        losses: [{ place, rows: rowCount, tenants: [DEFAULT_TENANT] }],
        tornBytes: sizeBytes,
      });
    }
    expect(nodeDisk.list(join(folder.path, 'quarantine'))).toHaveLength(2);
  });

  test('that was cut says what was acknowledged behind the cut, and nothing of what was not', async () => {
    using folder = new TemporaryFolder();
    const logFile = new LogFile({ disk: nodeDisk, folder: folder.path }, name);
    const writer = logFile.openWriter(async () => undefined);
    for (const some of [blocks.slice(0, 2), blocks.slice(2, 3)]) {
      const append = writer.append(some);
      await append.synced;
      append.publish();
    }
    const unacknowledged = writer.append(blocks.slice(3));
    await unacknowledged.synced;
    const { offset } = logFile.blocks[2]!;
    const end = offset + logFile.blocks[2]!.header.sizeBytes;
    nodeDisk.truncate(logFile.path, end + 7);
    expect(recover(folder.path)).toMatchObject({ damaged: [], losses: [], tornBytes: 7 });
    nodeDisk.truncate(logFile.path, end - 1);
    expect(recover(folder.path)).toMatchObject({ logFile: { rowCount: 8 }, losses: [{ costsNames: true }] });
    nodeDisk.remove(`${logFile.path}.acked`);
    expect(recover(folder.path)).toMatchObject({ logFile: { rowCount: 8 }, damaged: [], losses: [] });
    unacknowledged.publish();
    await writer.seal();
  });
});
