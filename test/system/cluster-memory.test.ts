// What a select node holds of the answers of its nodes while it reads them: more questions for large traces at once than it has
// memory for are refused or wait, and its memory stays within what it is allowed.
import { expect, test } from 'vitest';
import { makeSpan, requestOf } from '../conformance/data-sets.ts';
import { hexOf } from '../support/day-traces.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { attribute } from '../support/rich-trace.ts';
import { RoleProcess } from '../support/role-process.ts';

const TRACES = 60;
const SPANS = 100;
/** A trace has a megabyte. */
const TEXT = 'x'.repeat(10_000);
const ALLOWED_MIB = 600;
const ASKERS = 16;

test.skipIf(process.platform !== 'linux')(
  'a select node asked for more than it may hold refuses some, answers others, and stays within its memory',
  { timeout: 600_000 },
  async () => {
    const stores = [];
    for (const name of ['h1', 'h2', 'h3']) stores.push(await RoleProcess.storing(name));
    await using stack = new AsyncDisposableStack();
    for (const store of stores) stack.use(store);
    await Promise.all(stores.map((store) => store.start()));
    const nodes = stores.map(({ address }) => address).join();
    const insert = stack.use(await RoleProcess.inFront('insert', nodes, ['-storageNode.writeTimeout=60s']));
    const select = stack.use(
      await RoleProcess.inFront('select', nodes, [`-memory.allowedBytes=${ALLOWED_MIB}MiB`, '-search.maxTraces=100']),
    );
    await Promise.all([insert.start(), select.start()]);
    for (let trace = 1; trace <= TRACES; trace++) {
      const spans = Array.from({ length: SPANS }, (_, i) =>
        makeSpan(trace, i + 1, { attributes: [attribute('text', `${TEXT}${trace}.${i}`)] }),
      );
      const body = Buffer.from(encodeRequest(requestOf('large', spans)));
      const headers = { 'content-type': 'application/x-protobuf' };
      expect((await fetch(`${insert.url}/v1/traces`, { method: 'POST', headers, body })).status).toBe(200);
    }
    const now = Date.now();
    const [from, to] = [now - 2 * 86_400_000, now + 86_400_000].map((ms) => new Date(ms).toISOString());
    const search = `/api/v3/traces?query.startTimeMin=${from}&query.startTimeMax=${to}&query.searchDepth=`;
    const statusOf = async (path: string): Promise<number> => {
      const reply = await fetch(select.url + path);
      await reply.arrayBuffer();
      return reply.status;
    };
    // Alone it has room for one part of it, and not for all.
    expect([await statusOf(`${search}20`), await statusOf(`${search}60`)]).toEqual([200, 413]);
    const counts = new Map<number, number>();
    let most = 0;
    for (let round = 0; round < 3; round++) {
      const asked = Array.from({ length: ASKERS }, () => statusOf(`${search}20`));
      let isOver = false;
      const all = Promise.all(asked).finally(() => (isOver = true));
      while (!isOver) {
        most = Math.max(most, select.residentBytes);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      for (const status of await all) counts.set(status, (counts.get(status) ?? 0) + 1);
    }
    process.stdout.write(`large answers: ${most >> 20} MiB, ${JSON.stringify([...counts])}\n`);
    expect([...counts.keys()].filter((status) => ![200, 429, 503].includes(status))).toEqual([]);
    expect(counts.get(200)).toBeGreaterThan(0);
    expect(most >> 20).toBeLessThan(ALLOWED_MIB);
    // What was counted is given back.
    expect([await statusOf(`${search}20`), await statusOf(`/api/traces/${hexOf(1)}`)]).toEqual([200, 200]);
  },
);
