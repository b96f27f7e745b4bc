// A select over the selects of two regions, and an insert over their inserts, by listing them as nodes: the answers of one node, a
// region of which something is away is named, and spans are spread, not copied.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requests } from '../../native-bench/workload/requests.ts';
import { formatTraceId } from '../../src/trace/ids.ts';
import { decodeRequest, spansOf } from '../support/otlp-proto.ts';
import { AS_NODE, RoleProcess, waitFor } from '../support/role-process.ts';

const SECONDS = 300;
const startNs = (BigInt(Date.now()) - BigInt(SECONDS) * 1_000n - 60_000n) * 1_000_000n;
const PATIENT = '-storageNode.writeTimeout=30s';

interface Region {
  readonly stores: readonly RoleProcess[];
  readonly insert: RoleProcess;
  readonly select: RoleProcess;
}

const regions: Region[] = [];
let single: RoleProcess;
let insert: RoleProcess;
let select: RoleProcess;

beforeAll(async () => {
  single = await RoleProcess.storing('single', true);
  await single.start();
  for (const name of ['east', 'west']) {
    const stores = [await RoleProcess.storing(`${name}-1`), await RoleProcess.storing(`${name}-2`)];
    await Promise.all(stores.map((store) => store.start()));
    const nodes = stores.map(({ address }) => address).join(',');
    const own = [AS_NODE, `-storageNode.name=${name}`];
    const region = {
      stores,
      insert: await RoleProcess.inFront('insert', nodes, [...own, PATIENT]),
      select: await RoleProcess.inFront('select', nodes, own),
    };
    await Promise.all([region.insert.start(), region.select.start()]);
    regions.push(region);
  }
  const listOf = (of: 'insert' | 'select'): string => regions.map((region) => region[of].address).join(',');
  insert = await RoleProcess.inFront('insert', listOf('insert'), [PATIENT]);
  select = await RoleProcess.inFront('select', listOf('select'));
  await Promise.all([insert.start(), select.start()]);
}, 300_000);
afterAll(async () => {
  const all = regions.flatMap(({ stores, insert: one, select: other }) => [one, other, ...stores]);
  for (const process of [insert, select, single, ...all]) await process[Symbol.asyncDispose]();
}, 60_000);

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly partial: string | null;
}

async function ask({ url }: RoleProcess, path: string): Promise<Answer> {
  const reply = await fetch(url + path);
  return { status: reply.status, text: await reply.text(), partial: reply.headers.get('x-tracelith-partial') };
}

const SERVICES = '/api/services';
const SEARCH = '/api/traces?service=frontend&limit=30';

test('answers are those of one node, and both regions have a share', { timeout: 300_000 }, async () => {
  const traceIds: string[] = [];
  const spans = {
    profile: 'shop',
    spans: 3_000,
    batch: 150,
    seed: 5,
    startNs,
    seconds: SECONDS,
    instances: 2,
  } as const;
  for (const { body } of requests(spans)) {
    for (const { traceId } of spansOf(decodeRequest(body))) traceIds.push(formatTraceId(traceId!));
    const headers = { 'content-type': 'application/x-protobuf' };
    for (const { url } of [single, insert])
      expect((await fetch(`${url}/v1/traces`, { method: 'POST', headers, body })).status).toBe(200);
  }
  const endMs = Date.now();
  const paths = [SERVICES, SEARCH, `${SEARCH}&tags=%7B%22error%22%3A%22true%22%7D`];
  paths.push(`/api/dependencies?endTs=${endMs}&lookback=3600000`, '/api/services/frontend/operations');
  for (const id of [...new Set(traceIds)].slice(0, 20)) paths.push(`/api/traces/${id}`, `/api/v3/traces/${id}`);
  for (const path of paths) expect([path, await ask(select, path)]).toEqual([path, await ask(single, path)]);
  const shares = regions.map((region) => ask(region.select, `/api/v3/trace-summaries?${lastHour(endMs)}`));
  for (const { text } of await Promise.all(shares))
    expect((JSON.parse(text) as { summaries: unknown[] }).summaries.length).toBeGreaterThan(0);
});

test('a storage node that is away in a region: named, or left out and said so', { timeout: 300_000 }, async () => {
  const [away] = regions[1]!.stores;
  await away!.signal('SIGKILL');
  await waitFor('the select to notice', async () => (await ask(select, SERVICES)).status === 503);
  expect((await ask(select, SERVICES)).text).toContain('west-1');
  const partial = await ask(select, `${SERVICES}?allow_partial_response=1`);
  expect([partial.status, partial.partial]).toEqual([200, 'west-1']);
  await away!.start();
  const whole = (await ask(single, SEARCH)).text;
  await waitFor('whole answers', async () => (await ask(select, SEARCH)).text === whole);
});

function lastHour(endMs: number): string {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return new URLSearchParams({
    'query.startTimeMin': iso(endMs - 3_600_000),
    'query.startTimeMax': iso(endMs),
    'query.searchDepth': '1000',
  }).toString();
}
