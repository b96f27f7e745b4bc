// Spans are acknowledged on a log's word only while it proves that it keeps them.
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import type { LogDescription } from '../../src/ingest-log/ingest-log.ts';
import { LogGuard } from '../../src/ingest-log/log-guard.ts';
import { memoryLog } from '../storage/open-store.ts';

function described(problems: readonly string[]): LogDescription {
  return { kind: 'jetstream', replicas: 3, fsyncBeforeAck: true, retentionMs: 1, retentionBytes: Infinity, problems };
}

/** A log that says what the test sets. */
class SaidLog {
  says: readonly string[] | Error = [];

  async describe(): Promise<LogDescription> {
    if (this.says instanceof Error) throw this.says;
    return described(this.says);
  }
}

test('a log with a problem is refused at the start, unless it is trusted', async () => {
  const log = new SaidLog();
  log.says = ['stream s-0: 1 replica'];
  const lines: string[] = [];
  await expect(LogGuard.open({ log, logger: memoryLog(), isTrusted: false })).rejects.toMatchObject({
    code: 'CONFIG',
    message: expect.stringMatching(
      /^-ingestLog: stream s-0: 1 replica: acknowledged spans could be lost; .*-ingestLog.trust/,
    ),
  });
  const guard = await LogGuard.open({ log, logger: memoryLog(lines), isTrusted: true });
  expect(guard.refusal).toBeUndefined();
  expect(guard.description?.problems).toHaveLength(1);
  expect(lines.join('')).toMatch(/WARN.*as -ingestLog.trust accepts/s);
  guard.close();
});

test('what the settings leave open is said once, and nothing is refused for it', async () => {
  const lines: string[] = [];
  const tradeOffs = ['from the memory of 2 brokers'];
  const log = { describe: async (): Promise<LogDescription> => ({ ...described([]), tradeOffs }) };
  const guard = await LogGuard.open({ log, logger: memoryLog(lines), isTrusted: false });
  await guard.check();
  expect(guard.refusal).toBeUndefined();
  expect(lines).toEqual([expect.stringMatching(/WARN.*what the log leaves open.*from the memory of 2 brokers/s)]);
  guard.close();
});

test('a log that does not answer at the start is waited for, and is given up in the end', async () => {
  const log = new SaidLog();
  log.says = new StoreError('UNAVAILABLE', 'away');
  const lines: string[] = [];
  const options = { log, logger: memoryLog(lines), isTrusted: true };
  await expect(LogGuard.open({ ...options, startMs: 0 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const opening = LogGuard.open({ ...options, startMs: 600_000 });
  await expect.poll(() => lines.join('')).toContain('the log does not answer yet');
  log.says = [];
  const guard = await opening;
  expect(guard.refusal).toBeUndefined();
  guard.close();
});

test('a problem that comes later stops spans until it has gone; a log that is away proves nothing new', async () => {
  const log = new SaidLog();
  const lines: string[] = [];
  const guard = await LogGuard.open({ log, logger: memoryLog(lines), isTrusted: false });
  expect(guard.refusal).toBeUndefined();
  log.says = new StoreError('UNAVAILABLE', 'away');
  await guard.check();
  expect(guard.refusal).toBeUndefined();
  log.says = ['server n1: it does not sync'];
  await guard.check();
  await guard.check();
  expect(guard.refusal).toMatch(/server n1: it does not sync/);
  log.says = new StoreError('UNAVAILABLE', 'away');
  await guard.check();
  expect(guard.refusal).toMatch(/server n1/);
  log.says = [];
  await guard.check();
  expect(guard.refusal).toBeUndefined();
  expect(lines.filter((line) => line.includes('none are acknowledged any more'))).toHaveLength(1);
  expect(lines.filter((line) => line.includes('keeps what it must again'))).toHaveLength(1);
  guard.close();
});

test('the log is asked again and again, and a problem goes with its cause', async () => {
  const log = new SaidLog();
  const guard = await LogGuard.open({ log, logger: memoryLog(), isTrusted: false, intervalMs: 2 });
  log.says = ['server n1: it does not sync'];
  await expect.poll(() => guard.refusal).toMatch(/n1/);
  log.says = [];
  await expect.poll(() => guard.refusal).toBeUndefined();
  guard.close();
});
