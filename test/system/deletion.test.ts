// Delete tasks on the real program: off by default, POST only, exact, across kill -9, and of the tenant alone.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { walkFiles } from '../../src/disk/walk-files.ts';
import { ask, askJson, force, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import type { OtlpRequest, OtlpSpan } from '../support/otlp-proto.ts';
import { attribute, spanId, traceOf } from '../support/rich-trace.ts';

async function post(
  node: TestNode,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${node.url}/delete/${path}`, { method: 'POST', headers });
  return { status: response.status, text: await response.text() };
}

async function sendUsers(node: TestNode, users: readonly string[]): Promise<void> {
  const startTimeUnixNano = BigInt(Date.now()) * 1_000_000n;
  const spans = users.map((user, n) => ({
    traceId: Buffer.alloc(16, n + 1),
    spanId: spanId(n + 1),
    name: `GET ${user}`,
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + 1_000n,
    attributes: [attribute('user', user)],
  }));
  await sendTo(node, traceOf(spans));
}

const idOf = (n: number): string => Buffer.alloc(16, n + 1).toString('hex');
const statusOf = async (node: TestNode, n: number): Promise<number> =>
  (await fetch(`${node.url}/api/traces/${idOf(n)}`)).status;

/** The task as it is shown when it is done. */
async function run(node: TestNode, query: string, headers: Record<string, string> = {}): Promise<object> {
  const { status, text } = await post(node, `run_task?${query}`, headers);
  expect([status, text]).toEqual([200, expect.stringContaining('task_id')]);
  const { task_id: id } = JSON.parse(text) as { task_id: string };
  const ended = async (): Promise<object | undefined> => {
    const tasks = JSON.parse((await post(node, 'active_tasks', headers)).text) as { ended: { task_id: string }[] };
    return tasks.ended.find((task) => task.task_id === id);
  };
  await expect.poll(ended, { timeout: 30_000 }).toMatchObject({ state: 'done' });
  return (await ended())!;
}

test('deletes what is selected, once it may', async () => {
  await using node = await startNode({ flags: ['-delete.enable'] });
  await sendUsers(node, ['alice', 'bob', 'carol']);
  await run(node, `service=shop&tags=${encodeURIComponent('{"user":"alice"}')}`);
  await run(node, `traceID=${idOf(1)}`);
  expect([await statusOf(node, 0), await statusOf(node, 1), await statusOf(node, 2)]).toEqual([404, 404, 200]);
  const { data } = (await askJson(node, '/api/services/shop/operations')) as { data: string[] };
  expect(data).toEqual(['GET carol']);
  await node.kill9();
  await using again = await startNode({ dataPath: node.dataPath, flags: ['-delete.enable'] });
  expect([await statusOf(again, 0), await statusOf(again, 1), await statusOf(again, 2)]).toEqual([404, 404, 200]);
}, 60_000);

/** A call between two services on each of the days, every name and value of which has `text`. */
function callOf(text: string, daysAgo: number): OtlpRequest {
  const startNs = BigInt(Date.now() - daysAgo * 86_400_000) * 1_000_000n;
  const spanOf = (id: number, more: OtlpSpan): OtlpRequest =>
    traceOf(
      [
        {
          traceId: Buffer.alloc(16, daysAgo + 1),
          spanId: spanId(id),
          name: `op of ${text}`,
          startTimeUnixNano: startNs,
          endTimeUnixNano: startNs + 1_000n,
          attributes: [attribute(`key of ${text}`, `value of ${text}`)],
          ...more,
        },
      ],
      [attribute('service.name', `service ${id} of ${text}`)],
    );
  const requests = [spanOf(1, {}), spanOf(2, { parentSpanId: spanId(1) })];
  return { resourceSpans: requests.flatMap(({ resourceSpans }) => resourceSpans ?? []) };
}

test('from a start of 0 takes all of a tenant, its names, keys and archived traces, too, and nothing of another one', async () => {
  await using node = await startNode({ flags: ['-delete.enable'] });
  const tenants = [
    ['gone for good', { AccountID: '7', ProjectID: '1' }],
    ['here to stay', { AccountID: '7', ProjectID: '2' }],
  ] as const;
  const [[goneText, gone], [keptText, kept]] = tenants;
  // The older day lies in a part that both share, the newer one in the log.
  for (const daysAgo of [2, 0]) {
    for (const [text, headers] of tenants) await sendTo(node, callOf(text, daysAgo), { headers });
    if (daysAgo > 0) await force(node, 'merge');
  }
  const [older, newer] = [idOf(2), idOf(0)];
  for (const [, headers] of tenants) {
    const archived = await fetch(`${node.url}/api/archive/${older}`, { method: 'POST', headers });
    expect(archived.status).toBe(200);
  }
  const paths = (text: string): string[] => [
    '/api/services',
    `/api/services/${encodeURIComponent(`service 1 of ${text}`)}/operations`,
    `/api/dependencies?endTs=${Date.now()}&lookback=${3 * 86_400_000}`,
    `/api/traces?service=${encodeURIComponent(`service 2 of ${text}`)}&start=0`,
    `/api/traces/${older}`,
    `/api/traces/${newer}`,
    `/api/archive/${older}`,
  ];
  const answers = async (text: string, asked: readonly string[], headers: Record<string, string>): Promise<string[]> =>
    (await Promise.all(asked.map((path) => ask(node, path, headers)))).map(([status, , body]) =>
      body.includes(text) ? `${status} has it: ${body}` : `${status}`,
    );
  const filesWith = (text: string): string[] =>
    walkFiles(node.dataPath)
      .map(({ name }) => name)
      .filter((name) => readFileSync(join(node.dataPath, name)).includes(text));
  const tenantsListed = async (): Promise<unknown[]> =>
    (await askJson<{ tenant: string }[]>(node, '/internal/tenants')).map(({ tenant }) => tenant);
  const [goneAsked, keptAsked] = [paths(goneText), paths(keptText)];
  const before = await answers(keptText, keptAsked, kept);
  for (const answer of [...before, ...(await answers(goneText, goneAsked, gone))]) expect(answer).toContain('has it');
  expect(filesWith(goneText)).toEqual(expect.arrayContaining([expect.stringMatching(/index\/data\.mdb$/)]));
  expect(filesWith(keptText).length).toBeGreaterThan(0);
  expect(await tenantsListed()).toEqual(['7:1', '7:2']);

  const task = await run(node, 'start=0', gone);
  expect(task).toMatchObject({ spans: 4 + 2, days_done: 2, days_total: 2, notes: [] });
  const look = async (): Promise<void> => {
    expect(new Set(await answers(goneText, goneAsked, gone))).toEqual(new Set(['200', '404']));
    expect(filesWith(goneText)).toEqual([]);
    expect(walkFiles(join(node.dataPath, 'archive')).map(({ name }) => name)).toEqual([
      expect.stringMatching(/^7-2\//),
    ]);
    expect(await tenantsListed()).toEqual(['7:2']);
    expect(await answers(keptText, keptAsked, kept)).toEqual(before);
  };
  await look();
  await node.restart('SIGKILL');
  await look();
}, 120_000);

test('reads the whole question, and keeps no key of it, however both are written', async () => {
  await using node = await startNode({ flags: ['-delete.enable', '-deleteAuthKey=hush'] });
  await sendUsers(node, ['alice', 'alice?', 'bob']);
  // A question mark may stand in a query as it is: what follows is still a condition.
  for (const key of ['authKey=hush', '%61uthKey=hush', 'authKey=h%75sh'])
    expect((await post(node, `run_task?${key}&service=shop&operation=GET%20alice?`)).status).toBe(200);
  const tasks = async (): Promise<string> => (await post(node, 'active_tasks?authKey=hush')).text;
  await expect.poll(async () => (await tasks()).split('"state":"done"').length, { timeout: 30_000 }).toBe(4);
  expect([await statusOf(node, 0), await statusOf(node, 1), await statusOf(node, 2)]).toEqual([200, 404, 200]);
  expect(await tasks()).not.toMatch(/h(u|%75)sh/);
}, 60_000);

test('refuses what could delete more than was meant', async () => {
  await using node = await startNode({ flags: ['-delete.enable', '-deleteAuthKey=k'] });
  await sendUsers(node, ['alice']);
  for (const [query, text] of [
    ['', 'no condition'],
    ['sevice=shop', 'unknown parameter "sevice"'],
    [`traceID=${idOf(0)}&service=shop`, 'no other condition'],
    ['traceID=xyz', 'cannot parse traceID'],
    ['start=2000000000&end=1000000000', 'no span can meet'],
    ['service=shop&limit=5', 'unknown parameter "limit"'],
    // An empty variable of a script, and what Go's parsers would pass over.
    ['service=shop&operation=', 'operation has no value'],
    ['service=shop&operation', 'operation has no value'],
    ['service=&operation=GET%20alice', 'service has no value'],
    ['service=shop&start=', 'start has no value'],
    ['service=shop&tag=a:1&tag=', 'tag has no value'],
    ['service=shop&operation=a&operation=b', 'operation is given more than once'],
    ['service=shop&tags=%7B%7D', 'tags have no condition'],
    ['service=shop&tags=null', 'tags have no condition'],
    ['service=shop&operation=a;service=b', 'cannot be read'],
    ['service=shop&operation=a;b', 'unknown parameter "b"'],
    ['service=shop&operation=100%', 'cannot be read'],
    ['service=shop&tag=a:1&tag=b:%zz', 'cannot be read'],
  ] as const) {
    const answer = await post(node, `run_task?authKey=k&${query}`);
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(text)]);
  }
  expect((await post(node, `run_task?traceID=${idOf(0)}`)).status).toBe(401);
  expect((await fetch(`${node.url}/delete/run_task?authKey=k&traceID=${idOf(0)}`)).status).toBe(405);
  expect((await post(node, 'stop_task?authKey=k&task_id=1')).status).toBe(404);
  // Another tenant deletes nothing of this one.
  expect((await post(node, `run_task?authKey=k&traceID=${idOf(0)}`, { AccountID: '5' })).status).toBe(200);
  await expect
    .poll(async () => (await post(node, 'active_tasks?authKey=k', { AccountID: '5' })).text)
    .toContain('done');
  expect((await post(node, 'active_tasks?authKey=k')).text).toBe('{"active":[],"ended":[]}');
  expect(await statusOf(node, 0)).toBe(200);
}, 60_000);

test('is off by default', async () => {
  await using node = await startNode();
  expect(await post(node, `run_task?traceID=${idOf(0)}`)).toMatchObject({
    status: 400,
    text: expect.stringContaining('-delete.enable'),
  });
});
