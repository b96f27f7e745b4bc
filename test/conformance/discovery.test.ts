// §9.B: services, operations and the envelope of the legacy API.
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect } from 'vitest';
import { ask, askJson, force, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { sendRaw } from '../support/raw-http.ts';
import { check } from './check.ts';
import { dayNs, hasS0, makeSpan, noonNs, requestOf, sendS0 } from './data-sets.ts';
import { PREFIXES, type Envelope } from './questions.ts';

const EXAMPLE = 'example-service-1';
/** A tenant for each data set that must not see the others'. */
const odd = { AccountID: '4' };
const many = { AccountID: '1000' };

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
  await sendS0(node);
});
afterAll(() => node[Symbol.asyncDispose]());

/** The answers of `path` under every prefix; they must be the same. */
async function askEverywhere<T>(path: string): Promise<Envelope<T>> {
  const answers = await Promise.all(PREFIXES.map((prefix) => ask(node, `${prefix}${path}`)));
  for (const [status, type, text] of answers)
    expect([status, type, text]).toEqual([200, 'application/json', answers[0]![2]]);
  return JSON.parse(answers[0]![2]) as Envelope<T>;
}

check('B1', async () => {
  await using empty = await startNode();
  for (const prefix of PREFIXES) {
    expect(await ask(empty, `${prefix}/api/services`)).toEqual([
      200,
      'application/json',
      '{"data":[],"total":0,"limit":0,"offset":0,"errors":null}',
    ]);
  }
});

check(
  'B2',
  async () => {
    const { data, total, errors } = await askEverywhere<string[]>('/api/services');
    expect(data).toEqual([...new Set(data)].sort());
    expect(data).toEqual(expect.arrayContaining([EXAMPLE, 'example-service-2', 'query01-service', 'query25-service']));
    expect([total, errors]).toEqual([data.length, null]);
  },
  { canRun: hasS0 },
);

check(
  'B3',
  async () => {
    const { data, total } = await askEverywhere<string[]>(`/api/services/${EXAMPLE}/operations`);
    expect(data).toEqual(['example-operation-1', 'example-operation-3', 'example-operation-4']);
    expect(total).toBe(3);
  },
  { canRun: hasS0 },
);

check('B4', async () => {
  const services = ['a/b', 'a b', 'ü', '100%', 'a+b', 'team/x/operations'];
  for (const [i, service] of services.entries()) {
    await sendTo(node, requestOf(service, [makeSpan(0xb40 + i, 1, { name: `op of ${service}` })]), { headers: odd });
  }
  for (const service of services) {
    // As encodeURIComponent writes it, and as Go's url.JoinPath does: slashes, plus and percent left as they are.
    const spellings = [encodeURIComponent(service), encodeURI(service).replaceAll('%25', '%')];
    for (const spelling of spellings) {
      const { status, body } = await sendRaw(node, `/api/services/${spelling}/operations`, { headers: odd });
      const { data } = JSON.parse(body.toString()) as Envelope<string[]>;
      expect([spelling, status, data]).toEqual([spelling, 200, [`op of ${service}`]]);
    }
  }
});

check('B5', async () => {
  const { data, total } = await askEverywhere<null | []>('/api/services/nobody/operations');
  expect([data ?? [], total]).toEqual([[], 0]);
  const [status, , text] = await ask(node, '/api/operations');
  expect([status, JSON.parse(text)]).toMatchObject([
    400,
    { data: null, errors: [{ code: 400, msg: "parameter 'service' is required" }] },
  ]);
});

check(
  'B6',
  async () => {
    const path = `/api/operations?service=${EXAMPLE}`;
    expect((await askEverywhere(path)).data).toEqual([
      { name: 'example-operation-1', spanKind: '' },
      { name: 'example-operation-3', spanKind: 'server' },
      { name: 'example-operation-4', spanKind: 'client' },
    ]);
    const server = await askEverywhere(`${path}&spanKind=server`);
    expect(server.data).toEqual([{ name: 'example-operation-3', spanKind: 'server' }]);
  },
  { canRun: hasS0 },
);

check('B7', async () => {
  for (const prefix of PREFIXES) {
    for (const path of ['/api/nope', '/api/services/x', '/api/v3/nope']) {
      const [status, type, text] = await ask(node, prefix + path, { accept: 'text/html' });
      expect([path, status, type]).toEqual([path, 404, 'text/plain; charset=utf-8']);
      expect(text).not.toMatch(/<html/i);
    }
  }
});

check('B8', async () => {
  await sendTo(node, requestOf('pretty', [makeSpan(0xb80, 1)]), { headers: odd });
  const window = `start=${noonNs / 1_000n - 1_000n}&end=${noonNs / 1_000n + 1_000n}`;
  const paths = [
    '/api/services?',
    '/api/operations?service=pretty',
    '/api/services/pretty/operations?',
    `/api/traces?service=pretty&${window}`,
    '/api/traces/b80?',
    '/api/dependencies?',
    '/api/v3/services?',
    '/api/v3/operations?service=pretty',
    '/api/v3/traces/b80?',
  ];
  for (const path of paths) {
    const [, , compact] = await ask(node, `${path}&prettyPrint=false`, odd);
    const [status, , pretty] = await ask(node, `${path}&prettyPrint=true`, odd);
    expect([path, status, compact.includes('\n')]).toEqual([path, 200, false]);
    expect(JSON.parse(pretty), path).toEqual(JSON.parse(compact));
    expect(pretty, path).toMatch(/^\{\n {4}"/);
  }
});

check('B9', async () => {
  const decoders = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync } as const;
  // Long enough that compressing it is worth while.
  const spans = Array.from({ length: 200 }, (_, i) => makeSpan(0xb90, i + 1));
  await sendTo(node, requestOf('compressed', spans), { headers: odd });
  for (const path of ['/api/traces/b90', '/api/v3/traces/b90']) {
    const plain = await sendRaw(node, path, { headers: odd });
    expect(plain.headers['content-encoding']).toBeUndefined();
    for (const [encoding, decode] of Object.entries(decoders)) {
      const reply = await sendRaw(node, path, { headers: { ...odd, 'accept-encoding': encoding } });
      expect([path, encoding, reply.headers['content-encoding']]).toEqual([path, encoding, encoding]);
      expect(decode(reply.body).toString() === plain.body.toString(), `${path} as ${encoding}`).toBe(true);
    }
    for (const offered of ['identity', 'lzma', 'gzip;q=0']) {
      const reply = await sendRaw(node, path, { headers: { ...odd, 'accept-encoding': offered } });
      expect([offered, reply.headers['content-encoding']]).toEqual([offered, undefined]);
      expect(reply.body.equals(plain.body), offered).toBe(true);
    }
  }
});

check(
  'B10',
  async () => {
    const names = Array.from({ length: 1_000 }, (_, i) => `service-${String(i).padStart(4, '0')}`);
    const old = noonNs - 4n * dayNs;
    // The first hundred have data only in a day of their own, days ago.
    const resourceSpans = names.flatMap((name, i) => {
      const at = i < 100 ? { startTimeUnixNano: old } : {};
      return requestOf(name, [makeSpan(0xb1000 + i, 1, at)]).resourceSpans!;
    });
    await sendTo(node, { resourceSpans }, { headers: many });
    const moves: readonly (() => Promise<void>)[] = [
      () => Promise.resolve(),
      () => force(node, 'merge'),
      () => node.restart(),
      () => node.restart('SIGKILL'),
    ];
    for (const move of moves) {
      await move();
      expect((await askJson<Envelope<string[]>>(node, '/api/services', many)).data).toEqual(names);
    }
  },
  { timeoutMs: 60_000 },
);
