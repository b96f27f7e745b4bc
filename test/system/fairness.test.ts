// One tenant that keeps forty requests waiting leaves the others their turns: while one of theirs is answered, only a few of its
// own are. Counted in requests, not in time, so it holds on a busy machine. Without turns it would be some forty for each.
import { expect, test } from 'vitest';
import { ask, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { requestOf } from '../storage/stored-spans.ts';

/** Requests of the greedy tenant that wait at any time, and requests of the modest one, one after the other. */
const GREEDY = 40;
const MODEST = 20;
/** One under way, one whose turn it is, and answers to others while the request is on its way, which is long on a busy machine. */
const PER_MODEST_MAX = 16;

interface Served {
  readonly modest: number;
  /** While the modest ones were waited for. */
  readonly greedy: number;
}

async function serve(request: (account: string) => Promise<boolean>): Promise<Served> {
  let isOver = false;
  let greedy = 0;
  const loops = Array.from({ length: GREEDY }, async () => {
    while (!isOver) if (await request('1')) greedy++;
  });
  // Until all of them wait.
  await expect.poll(() => greedy, { timeout: 60_000 }).toBeGreaterThan(2 * GREEDY);
  const before = greedy;
  let modest = 0;
  for (let i = 0; i < MODEST; i++) if (await request('2')) modest++;
  const during = greedy - before;
  isOver = true;
  await Promise.all(loops);
  return { modest, greedy: during };
}

const flags = ['-maxConcurrentInserts=1', '-search.maxConcurrentRequests=1', '-insert.maxQueueDuration=1m'];

function expectFair({ modest, greedy }: Served): void {
  expect(modest).toBe(MODEST);
  expect(greedy).toBeGreaterThan(0);
  expect(greedy / MODEST).toBeLessThan(PER_MODEST_MAX);
}

test('requests to write', async () => {
  await using node = await startNode({ flags });
  let n = 0;
  const write = async (AccountID: string): Promise<boolean> =>
    (await sendTo(node, oneSpan(++n), { headers: { AccountID } })) === undefined;
  expectFair(await serve(write));
}, 120_000);

test('large requests to write, as the node is shipped', async () => {
  await using node = await startNode();
  // Made once: a client that makes each anew would be the one that lets them wait.
  const body = requestOf({ first: 0, count: 5_000 });
  const write = async (AccountID: string): Promise<boolean> => {
    const headers = { AccountID, 'content-type': 'application/x-protobuf' };
    const response = await fetch(`${node.otlpUrl}/v1/traces`, { method: 'POST', headers, body });
    await response.arrayBuffer();
    return response.status === 200;
  };
  expectFair(await serve(write));
}, 120_000);

test('queries', async () => {
  await using node = await startNode({ flags });
  await fill(node);
  const search = async (AccountID: string): Promise<boolean> =>
    (await ask(node, '/api/traces?service=s&limit=50', { AccountID }))[0] === 200;
  expectFair(await serve(search));
}, 120_000);

async function fill(node: TestNode): Promise<void> {
  for (const AccountID of ['1', '2']) {
    for (let trace = 0; trace < 50; trace++) await sendTo(node, oneSpan(trace), { headers: { AccountID } });
  }
}
