// What happens to a node while it soaks, beside the ingest: everyday questions, operators at work, and clients that should not exist.
// Each actor does one thing after the other with a pause between; what is not answered as it must be is kept as a failure.
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { HttpClient, type HttpReply } from '../harness/http-client.ts';
import type { Rng } from '../workload/rng.ts';

export interface World {
  readonly url: string;
  readonly rng: Rng;
  /** A trace that was acknowledged in the last minute, hex. */
  recentTraceId(): string | undefined;
  /** Requests with spans older than any retention, and some that are not. */
  partialBody(): Uint8Array;
}

export interface ActorCounts {
  done: number;
  /** Refused as overload is: 429, 503. */
  refused: number;
  /** What was wrong, the first few. */
  readonly failures: string[];
  failed: number;
}

interface Actor {
  readonly name: string;
  /** Between two acts. */
  readonly pauseMs: number;
  /** Its durations are those of queries. */
  readonly isQuery?: boolean;
  act(client: HttpClient, world: World): Promise<HttpReply | undefined>;
  /** Statuses that are right; 200 by default. */
  readonly statuses?: readonly number[];
}

const failuresShown = 5;
const busy: readonly number[] = [429, 503];
const pathOf = (path: string, params: Readonly<Record<string, string | number>>): string =>
  `${path}?${new URLSearchParams(Object.entries(params).map(([name, value]): [string, string] => [name, String(value)])).toString()}`;
const post = (client: HttpClient, path: string): Promise<HttpReply> => client.post(path, new Uint8Array(0));

/** Those before today, whose spans the queries ask for. Spread over days, the workload's sessions reach into the next ones too. */
async function olderDays(client: HttpClient): Promise<string[]> {
  const days = JSON.parse((await post(client, '/internal/partition/list')).body.toString()) as string[];
  const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');
  return days.filter((day) => day < today);
}

async function anyService(client: HttpClient, { rng }: World): Promise<string> {
  const { data } = (await client.getJson('/api/services')) as { data: string[] };
  return data.length === 0 ? 'none' : rng.pick(data);
}

/** A query of one of the kinds that people and dashboards ask. */
async function search(client: HttpClient, world: World): Promise<HttpReply> {
  const service = await anyService(client, world);
  const path = world.rng.pick([
    pathOf('/api/traces', { service, limit: 20, lookback: '1h' }),
    pathOf('/api/traces', { service, limit: 20, minDuration: '100ms', lookback: '1h' }),
    pathOf('/api/traces', { service, limit: 20, tags: '{"error":"true"}', lookback: '6h' }),
    pathOf('/api/traces', { service, limit: 20, tags: '{"nobody.has":"this"}', lookback: '1h' }),
    pathOf(`/api/services/${encodeURIComponent(service)}/operations`, {}),
  ]);
  return await client.get(path);
}

async function monitor(client: HttpClient, world: World): Promise<HttpReply> {
  const service = await anyService(client, world);
  const range = { endTs: Date.now(), lookback: 6 * 3_600_000 };
  const metrics = { service, groupByOperation: 'true', ...range, step: 60_000, ratePer: 600_000, spanKind: 'server' };
  const path = world.rng.pick([
    pathOf('/api/dependencies', range),
    pathOf('/api/metrics/calls', metrics),
    pathOf('/api/metrics/latencies', { ...metrics, quantile: 0.95 }),
  ]);
  return await client.get(path);
}

async function snapshot(client: HttpClient): Promise<HttpReply> {
  const made = await post(client, '/internal/partition/snapshot/create');
  if (made.status !== 200) return made;
  for (const path of JSON.parse(made.body.toString()) as string[]) {
    const deleted = await post(client, pathOf('/internal/partition/snapshot/delete', { path }));
    if (deleted.status !== 200) return deleted;
  }
  return made;
}

/** A day of which spans still come: they are refused meanwhile, and sent again. */
async function detachAndAttach(client: HttpClient, { rng }: World): Promise<HttpReply | undefined> {
  const days = await olderDays(client);
  if (days.length === 0) return undefined;
  const name = rng.pick(days);
  const detached = await post(client, pathOf('/internal/partition/detach', { name }));
  if (detached.status !== 200) return detached;
  await delay(1_000);
  return await post(client, pathOf('/internal/partition/attach', { name }));
}

async function mergeADay(client: HttpClient, { rng }: World): Promise<HttpReply | undefined> {
  const days = await olderDays(client);
  if (days.length === 0) return undefined;
  return await post(client, pathOf('/internal/force_merge', { partition_prefix: rng.pick(days) }));
}

async function archive(client: HttpClient, world: World): Promise<HttpReply | undefined> {
  const id = world.recentTraceId();
  return id === undefined ? undefined : await post(client, `/api/archive/${id}`);
}

/** Half a request, and then nothing for a while. */
async function rudeSocket(url: string, text: string): Promise<undefined> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined).write(text);
  await delay(5_000);
  socket.destroy();
  return undefined;
}

// 100 MB of nothing.
const bomb = gzipSync(new Uint8Array(100 << 20));

async function sendBomb(url: string): Promise<HttpReply> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
  const reply = await fetch(`${url}/v1/traces`, { method: 'POST', headers, body: bomb });
  return { status: reply.status, body: Buffer.from(await reply.arrayBuffer()), ms: 0, retryAfterSeconds: undefined };
}

async function hostile(client: HttpClient, { rng, url }: World): Promise<HttpReply | undefined> {
  const json = (text: string): Promise<HttpReply> => client.post('/v1/traces', Buffer.from(text), 'application/json');
  return await rng.pick([
    () => client.post('/v1/traces', Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0x0f)),
    () => client.post('/v1/traces', crypto.getRandomValues(new Uint8Array(5_000))),
    () => json('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0"'),
    () => json('{"resourceSpans":"no"}'),
    () => sendBomb(url),
    () => client.get('/api/traces/not-an-id'),
    () => client.get(pathOf('/api/traces', { service: 'x'.repeat(5_000), limit: -1 })),
    () => client.get('/no/such/path'),
    () => rudeSocket(url, 'POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 99999\r\n\r\nabc'),
    () => rudeSocket(url, 'GET / HT'),
  ])();
}

const actors: readonly Actor[] = [
  { name: 'searches', pauseMs: 300, isQuery: true, act: search },
  {
    name: 'traces by id, acknowledged before',
    pauseMs: 200,
    isQuery: true,
    act: async (client, world) => {
      const id = world.recentTraceId();
      return id === undefined ? undefined : await client.get(`/api/traces/${id}`);
    },
  },
  { name: 'dependencies and Monitor', pauseMs: 3_000, isQuery: true, act: monitor },
  { name: 'metrics', pauseMs: 5_000, act: (client) => client.get('/metrics') },
  { name: 'partial requests', pauseMs: 1_000, act: (client, world) => client.post('/v1/traces', world.partialBody()) },
  { name: 'hostile requests', pauseMs: 300, act: hostile, statuses: [200, 400, 404, 413, 414, 415, 431] },
  { name: 'snapshots taken and deleted', pauseMs: 15_000, act: snapshot },
  // A day may be dropped by retention in between: 404; by another actor's work on it: 400.
  { name: 'days detached and attached', pauseMs: 20_000, act: detachAndAttach, statuses: [200, 400, 404] },
  { name: 'forced merges of a day', pauseMs: 30_000, act: mergeADay },
  { name: 'forced flushes', pauseMs: 25_000, act: (client) => post(client, '/internal/force_flush') },
  { name: 'traces archived', pauseMs: 10_000, act: archive },
];

export interface Soaked {
  readonly name: string;
  readonly counts: ActorCounts;
}

/** Runs every actor until `isOver`. `queries` gets the durations of queries. */
export async function runActors(world: World, isOver: () => boolean, queries: (ms: number) => void): Promise<Soaked[]> {
  return await Promise.all(
    actors.map(async (actor) => ({ name: actor.name, counts: await runActor(actor, world, { isOver, queries }) })),
  );
}

async function runActor(
  actor: Actor,
  world: World,
  { isOver, queries }: { isOver: () => boolean; queries: (ms: number) => void },
): Promise<ActorCounts> {
  const counts: ActorCounts = { done: 0, refused: 0, failures: [], failed: 0 };
  using client = new HttpClient(world.url, 4);
  const fail = (what: string): void => {
    if (counts.failed++ < failuresShown) counts.failures.push(`${actor.name}: ${what}`);
  };
  while (!isOver()) {
    // Not all actors at one time.
    await delay(actor.pauseMs * (0.5 + world.rng.float()));
    try {
      const reply = await actor.act(client, world);
      counts.done++;
      if (reply === undefined) continue;
      if (actor.isQuery === true) queries(reply.ms);
      if (busy.includes(reply.status)) counts.refused++;
      else if (!(actor.statuses ?? [200]).includes(reply.status))
        fail(`status ${reply.status}: ${reply.body.toString().slice(0, 200)}`);
    } catch (error) {
      fail(String(error));
    }
  }
  return counts;
}
