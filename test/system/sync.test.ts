// `tracelith sync` between real nodes: afterwards both answer the same bytes, whatever was missing where, whoever was killed.
import { setTimeout as delay } from 'node:timers/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fill, hexOf, piece, TODAY, YESTERDAY } from '../support/day-traces.ts';
import { force, readLedger, sendTo } from '../support/node-client.ts';
import { runProgram, startNode, type TestNode } from '../support/node-process.ts';
import { answersOf, startTool } from '../support/two-nodes.ts';

const TENANTS = ['0:0', '7:1'];

async function sync(
  from: TestNode,
  to: TestNode,
  ...more: string[]
): Promise<{ code: number | undefined; output: string }> {
  const { exitCode, output } = await runProgram(['sync', '--from', from.url, '--to', to.url, ...more]);
  return { code: exitCode, output };
}

const storedOn = async (node: TestNode): Promise<number> =>
  (await readLedger(node))['tracelith_rows_stored_total'] ?? 0;

describe('sync', { timeout: 300_000 }, () => {
  test('with --both, each has what the other lacked: traces, spans of traces, tenants, days', async () => {
    await using a = await startNode({ flags: ['-inmemoryDataFlushInterval=1s'] });
    await using b = await startNode();
    await fill([a, b], 0, 60);
    await fill([a], 60, 120);
    await fill([b], 120, 150);
    await fill([a], 0, 30, '7:1');
    // Halves of the same traces, and a span that both have twice.
    for (let n = 200; n < 220; n++) {
      await sendTo(a, piece(n, 0, 3));
      await sendTo(b, piece(n, 2, 5));
      await sendTo(b, piece(n, 2, 5));
    }
    await force(a, 'merge');
    const asked = { tenants: TENANTS, traceIds: Array.from({ length: 55 }, (_, n) => hexOf(4 * n + (n % 4))) };
    expect(await answersOf(a, asked)).not.toEqual(await answersOf(b, asked));

    const { code, output } = await sync(a, b, '--both');
    expect([code, output]).toEqual([0, expect.stringContaining('nothing is missing\n')]);
    expect(output).toMatch(new RegExp(`^${TODAY} 7:1: \\d+ spans, \\d+ traces copied, equal$`, 'm'));
    const answers = await answersOf(a, asked);
    expect(answers.get(`0:0 /api/v3/traces/${hexOf(160)}`)).toMatch(/^404/);
    expect(answers.get(`7:1 /api/v3/traces/${hexOf(5)}`)).toMatch(/^200/);
    expect(await answersOf(b, asked)).toEqual(answers);

    const again = await sync(a, b, '--both');
    expect([again.code, again.output]).toEqual([
      0,
      expect.stringContaining(' 0 traces copied (0 B): nothing is missing'),
    ]);
  });

  test('one way, the target gets everything and the source nothing; a day alone is that day', async () => {
    await using a = await startNode();
    await using b = await startNode();
    await fill([a], 1, 21);
    await fill([b], 100, 110);
    const before = await storedOn(a);
    const one = await sync(a, b, '--day', YESTERDAY);
    expect([one.code, one.output]).toEqual([0, expect.stringMatching(/^sync: 1 days, .*are only in the target/m)]);
    const asked = { tenants: ['0:0'], traceIds: Array.from({ length: 21 }, (_, n) => hexOf(n)) };
    expect((await answersOf(b, asked)).get(`0:0 /api/traces/${hexOf(2)}`)).toMatch(/^404/);
    expect((await sync(a, b)).code).toBe(0);
    expect((await answersOf(b, asked)).get(`0:0 /api/traces/${hexOf(2)}`)).toMatch(/^200/);
    expect(await storedOn(a)).toBe(before);
  });

  test('killed in the middle and begun again, it copies the rest; a node that restarts meanwhile is waited for', async () => {
    await using a = await startNode();
    await using b = await startNode();
    await fill([a], 1, 2_000);
    const whole = await storedOn(a);
    const first = await startTool('sync', '--from', a.url, '--to', b.url);
    await expect.poll(() => storedOn(b), { interval: 5, timeout: 20_000 }).toBeGreaterThan(500);
    await first.kill();
    const got = await storedOn(b);
    expect(got).toBeLessThan(whole);

    // The ports of a restarted node are new, so the target is stopped and goes on instead.
    const second = startTool('sync', '--from', a.url, '--to', b.url);
    await delay(200);
    process.kill(b.pid, 'SIGSTOP');
    await delay(1_000);
    process.kill(b.pid, 'SIGCONT');
    const tool = await second;
    await expect.poll(() => tool.isRunning, { timeout: 40_000 }).toBe(false);
    expect([await tool.stop(), tool.output]).toEqual([0, expect.stringContaining('nothing is missing\n')]);
    const copied = Number(/ (\d+) traces copied \(/.exec(tool.output)?.[1]);
    expect(copied).toBeGreaterThan(0);
    expect(copied).toBeLessThan(2_000 - 100);
    const asked = { tenants: ['0:0'], traceIds: Array.from({ length: 40 }, (_, n) => hexOf(n * 50 + 1)) };
    expect(await answersOf(b, asked)).toEqual(await answersOf(a, asked));
  });

  test('while both take spans, only what is missing is copied, and both are equal at the end', async () => {
    await using a = await startNode();
    await using b = await startNode();
    await fill([a], 1, 400);
    let isOver = false;
    let n = 1_000;
    const load = (async (): Promise<void> => {
      for (; !isOver; n++) await Promise.all([a, b].map((node) => sendTo(node, piece(n, 0, 4))));
    })();
    await sync(a, b, '--both');
    isOver = true;
    await load;
    expect((await sync(a, b, '--both')).code).toBe(0);
    const asked = { tenants: ['0:0'], traceIds: [1, 200, 399, 1_000, n - 1].map(hexOf) };
    expect(await answersOf(b, asked)).toEqual(await answersOf(a, asked));
  });

  test('what the target rejects, and what nobody answers, is said and is exit code 1', async () => {
    await using a = await startNode({ flags: ['-partitionManageAuthKey=open sesame'] });
    await using b = await startNode({
      flags: ['-partitionManageAuthKey=open sesame', '-insert.maxAttributesPerSpan=1'],
    });
    const spans = piece(1, 0, 1).resourceSpans!;
    const attributes = ['k', 'l'].map((key) => ({ key, value: { stringValue: 'v' } }));
    const crowded = { ...spans[0]!.scopeSpans![0]!.spans![0]!, attributes };
    await sendTo(a, { resourceSpans: [{ scopeSpans: [{ spans: [crowded] }] }] });
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-key-'));
    const key = join(folder, 'key');
    writeFileSync(key, 'open sesame\n');
    const refused = await sync(a, b);
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('401 missing authKey')]);
    const rejected = await sync(a, b, '--auth-key-file', key);
    expect([rejected.code, rejected.output]).toEqual([
      1,
      expect.stringMatching(/1 spans rejected: .*\n.*1 still differ/s),
    ]);
    rmSync(folder, { recursive: true });
  });

  test('nodes that ask for logins take the name and password of a URL, and nothing else', async () => {
    const flags = ['-httpAuth.username=ann', '-httpAuth.password=p@ss:word/1'];
    await using a = await startNode({ flags });
    await using b = await startNode({ flags });
    const headers = { authorization: `Basic ${Buffer.from('ann:p@ss:word/1').toString('base64')}` };
    await sendTo(a, piece(2, 0, 3), { headers });
    const refused = await sync(a, b);
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('401 log in')]);
    const named = ({ url }: TestNode, login: string): TestNode =>
      Object.assign(Object.create(a) as TestNode, { url: url.replace('://', `://${login}@`) });
    const wrong = await sync(named(a, 'ann:wrong'), named(b, 'ann:wrong'));
    expect([wrong.code, wrong.output]).toEqual([1, expect.stringContaining('401 wrong user, password or token')]);
    const login = `ann:${encodeURIComponent('p@ss:word/1')}`;
    const copied = await sync(named(a, login), named(b, login));
    expect([copied.code, copied.output]).toEqual([0, expect.stringContaining('nothing is missing')]);
    expect(copied.output).not.toContain('ss:word');
    expect((await fetch(`${b.url}/api/traces/${hexOf(2)}`, { headers })).status).toBe(200);
  });

  test('it explains itself, and says what is wrong with its options', async () => {
    expect((await runProgram(['sync', '--help'])).output).toContain('--both');
    for (const args of [[], ['--from'], ['--from', 'nowhere'], ['--from', 'http://x', '--day', 'x'], ['--nonsense']])
      expect([args, (await runProgram(['sync', ...args])).exitCode]).toEqual([args, 2]);
  });
});
