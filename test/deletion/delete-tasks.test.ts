// Deletion on a real store and real query threads: after a task, every answer is that of a store that never had the spans, no
// byte of theirs is left in the data directory, and a task that was cut off goes on at the next start.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ArchiveFolder } from '../../src/archive/archive-folder.ts';
import { DELETE_TASKS_FILE, DeleteTasks, type DeleteTask } from '../../src/deletion/delete-tasks.ts';
import { StoreError } from '../../src/base/errors.ts';
import { isFlush } from '../../src/part/merge-parts.ts';
import { inlineMergeRunner, type MergeRunner } from '../../src/partition/merge-runner.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { walkFiles } from '../../src/disk/walk-files.ts';
import { LocalArchive } from '../../src/query/local-archive.ts';
import { LocalReader } from '../../src/query/local-reader.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { SpanSelection } from '../../src/trace/store.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { encodeRequest, type OtlpRequest } from '../support/otlp-proto.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';
import { randomQuery, randomSpans } from '../support/random-search.ts';
import { attribute, spanId, traceOf } from '../support/rich-trace.ts';
import { isMatch, knownSpans, type KnownSpan } from '../support/search-oracle.ts';
import { Asker } from '../support/store-answers.ts';
import { memoryLog, openStore, TemporaryFolder } from '../storage/open-store.ts';
import { DAY_NS, NOON_NS, requestOf, storedSpans, traceIdOf } from '../storage/stored-spans.ts';

const OTHER_TENANT = parseTenant('7', '8');

/** A store with what deletes from it. */
class DeletingStore implements AsyncDisposable {
  readonly folder = new TemporaryFolder();
  readonly lines: string[] = [];
  readonly archiveFolder: ArchiveFolder;
  readonly archive: LocalArchive;
  readonly reader: LocalReader;
  readonly storage: Storage;
  tasks: DeleteTasks;
  /** What the next tasks select; the query string only names them. */
  readonly selections = new Map<string, SpanSelection>();

  constructor(options: Parameters<typeof openStore>[1] = {}) {
    const { path } = this.folder;
    this.storage = openStore(path, options);
    const { storage } = this;
    this.archiveFolder = new ArchiveFolder({ path, disk: nodeDisk, bytesMax: 1 << 24, freeDiskBytesMin: 0 });
    this.reader = new LocalReader({
      source: {
        listServices: async (tenant) => storage.listServices(tenant),
        listOperations: async (tenant, service) => storage.listOperations(tenant, service),
        takeView: async (tenant, filter) => storage.takeView(tenant, filter),
        releaseView: (id) => storage.releaseView(id),
        reportDamage: async (places) => storage.reportDamage(places),
      },
      archive: this.archiveFolder,
      logger: memoryLog(this.lines),
      workers: 1,
      concurrentMax: 4,
      durationMaxMs: 60_000,
    });
    this.archive = new LocalArchive({ folder: this.archiveFolder, disk: nodeDisk, reader: this.reader });
    this.tasks = this.open();
  }

  open(): DeleteTasks {
    return new DeleteTasks({
      path: this.folder.path,
      disk: nodeDisk,
      clock: new FakeClock(),
      logger: memoryLog(this.lines),
      admin: this.storage,
      selector: this.reader,
      archive: this.archive,
      parse: (query) => this.selections.get(query)!,
    });
  }

  /** Runs one task to its end. */
  async delete(selection: SpanSelection, tenant = DEFAULT_TENANT): Promise<DeleteTask> {
    this.selections.set('this', selection);
    const id = this.tasks.start(tenant, 'this');
    return await this.ended(id);
  }

  async ended(id: string): Promise<DeleteTask> {
    await expect
      .poll(() => this.tasks.ended.some((task) => task.id === id), { timeout: 30_000, interval: 5 })
      .toBe(true);
    return this.tasks.ended.find((task) => task.id === id)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tasks.close();
    await this.reader.close();
    await this.archive.close();
    await this.storage.close();
    this.folder[Symbol.dispose]();
  }
}

/** The request with the spans that are kept. */
function keeping(request: OtlpRequest, isKept: (known: KnownSpan) => boolean): OtlpRequest {
  const resourceSpans = (request.resourceSpans ?? []).map((group) => ({
    ...group,
    scopeSpans: (group.scopeSpans ?? []).map((scoped) => ({
      ...scoped,
      spans: (scoped.spans ?? []).filter((span) =>
        isKept(knownSpans({ resourceSpans: [{ ...group, scopeSpans: [{ ...scoped, spans: [span] }] }] })[0]!),
      ),
    })),
  }));
  return { resourceSpans };
}

/** In parts, some merged, and the last of them still in the log. */
async function write(storage: Storage, requests: readonly OtlpRequest[]): Promise<void> {
  for (const [i, request] of requests.entries()) {
    await storage.write(DEFAULT_TENANT, encodeRequest(request));
    await storage.write(OTHER_TENANT, encodeRequest(request));
    if (i % 3 === 0) await storage.forceFlush();
    if (i === 3) await storage.forceMerge('');
  }
}

function answersOf(
  storage: Storage,
  archive: ArchiveFolder | undefined,
  known: readonly KnownSpan[],
): Map<string, string> {
  using asker = new Asker(archive);
  const random = createRandom(5);
  const answers = asker.answers(storage, {
    tenants: [DEFAULT_TENANT, OTHER_TENANT],
    traceIds: [...new Set(known.map(({ traceId }) => traceId))].sort(),
    searches: Array.from({ length: 8 }, () => randomQuery(random, known)),
    windows: [[NOON_NS - 3n * DAY_NS, NOON_NS + DAY_NS]],
  });
  expect([...asker.warnings]).toEqual([]);
  return answers;
}

describe('a deletion', () => {
  test.each([1, 2, 3])('leaves a store as if it had never had the spans that a random query selects (%d)', async () => {
    const random = createRandom(printedSeed('delete-tasks'));
    const requests = Array.from({ length: 7 }, () => randomSpans(random, NOON_NS, 12));
    const known = requests.flatMap(knownSpans);
    const found = Array.from({ length: 40 }, () => randomQuery(random, known));
    const query = found.find((one) => known.some((span) => isMatch(span, one))) ?? found[0]!;
    const selected = known.filter((span) => isMatch(span, query));
    await using store = new DeletingStore();
    await write(store.storage, requests);
    const task = await store.delete({ query });
    expect([task.state, task.notes]).toEqual(['done', []]);
    expect(task.spans >= Math.min(1, selected.length)).toBe(true);
    await using other = new DeletingStore();
    const isOf = (tenantOnly: boolean) =>
      requests.map((one) => (tenantOnly ? keeping(one, (span) => !isMatch(span, query)) : one));
    for (const [i, request] of isOf(true).entries()) {
      await other.storage.write(DEFAULT_TENANT, encodeRequest(request));
      await other.storage.write(OTHER_TENANT, encodeRequest(requests[i]!));
    }
    await other.storage.forceFlush();
    const expected = answersOf(other.storage, undefined, known);
    expect(answersOf(store.storage, undefined, known)).toEqual(expected);
    await store.storage.forceMerge('');
    expect(answersOf(store.storage, undefined, known)).toEqual(expected);
  });

  test('of traces by id takes all of them, the archived too, and leaves those of other tenants', async () => {
    await using store = new DeletingStore();
    const random = createRandom(3);
    const requests = Array.from({ length: 5 }, () => randomSpans(random, NOON_NS, 8));
    await write(store.storage, requests);
    const known = requests.flatMap(knownSpans);
    const ids = [...new Set(known.map(({ traceId }) => traceId))];
    const traceIds = ids.slice(0, 5).map((id) => new Uint8Array(Buffer.from(id, 'hex')));
    const call = { tenant: DEFAULT_TENANT };
    for (const id of traceIds.slice(0, 2)) await store.archive.archiveTrace(call, id);
    const task = await store.delete({ traceIds });
    expect(task).toMatchObject({ state: 'done', notes: [] });
    expect((await store.reader.findTraces(call, traceIds)).traces).toEqual([]);
    expect((await store.reader.hasTraces({ tenant: OTHER_TENANT }, traceIds)).traceIds).toHaveLength(5);
    const rest = ids.slice(5).map((id) => new Uint8Array(Buffer.from(id, 'hex')));
    expect((await store.reader.hasTraces(call, rest)).traceIds).toHaveLength(rest.length);
    expect(store.archiveFolder.traces).toBe(0);
  });

  test('leaves no byte of a value anywhere but in snapshots, which it names', async () => {
    await using store = new DeletingStore();
    const secret = 'alice-4711-top-secret';
    const spans = Array.from({ length: 60 }, (_, n) => ({
      traceId: Buffer.alloc(16, 1 + (n >> 2)),
      spanId: spanId(n + 1),
      name: n % 10 === 0 ? `GET /users/${secret}` : 'GET /health',
      startTimeUnixNano: NOON_NS + BigInt(n),
      endTimeUnixNano: NOON_NS + BigInt(n) + 1_000n,
      attributes: [attribute('user', n % 10 === 0 ? secret : `user-${n}`)],
    }));
    await store.storage.write(
      DEFAULT_TENANT,
      encodeRequest(traceOf(spans, [attribute('service.name', `shop of ${secret}`)])),
    );
    await store.storage.write(DEFAULT_TENANT, encodeRequest(traceOf(spans.filter((_, n) => n % 10 > 0))));
    await store.storage.forceFlush();
    await store.archive.archiveTrace({ tenant: DEFAULT_TENANT }, new Uint8Array(16).fill(1));
    expect(placesOf(store, secret).length).toBeGreaterThan(2);
    const query = { operation: undefined, tags: [], startMinNs: 0n, startMaxNs: 2n ** 63n - 1n };
    const all = {
      ...query,
      service: `shop of ${secret}`,
      durationMinNs: undefined,
      durationMaxNs: undefined,
      limit: 1,
    };
    const task = await store.delete({ query: all });
    expect(task.spans).toBe(60 + 4);
    expect(placesOf(store, secret)).toEqual([]);
    expect(store.storage.listServices(DEFAULT_TENANT).items).toEqual(['shop']);
    expect(storedSpans(store.storage, nodeDisk, DEFAULT_TENANT)).toHaveLength(54);
    await store.storage.createSnapshots('');
    const again = await store.delete({ query: all });
    expect(again).toMatchObject({ state: 'done', spans: 0, notes: [expect.stringContaining('snapshots/')] });
  });

  test('takes rows out of full blocks, which merges copy as they are', async () => {
    await using store = new DeletingStore();
    const [count, half] = [40_000, 20_000];
    for (const first of [0, half]) {
      const spans = Array.from({ length: half }, (_, i) => ({
        traceId: Buffer.from((first + i + 1).toString(16).padStart(32, '0'), 'hex'),
        spanId: spanId(1),
        name: (first + i) % 1_000 === 7 ? 'secret' : 'plain',
        startTimeUnixNano: NOON_NS + BigInt(first + i) * 1_000n,
        endTimeUnixNano: NOON_NS + BigInt(first + i) * 1_000n + 10n,
      }));
      await store.storage.write(DEFAULT_TENANT, encodeRequest(traceOf(spans)));
      await store.storage.forceFlush();
    }
    await store.storage.forceMerge('');
    const query = { service: 'shop', operation: 'secret', tags: [], startMinNs: 0n, startMaxNs: 2n ** 63n - 1n };
    const task = await store.delete({
      query: { ...query, durationMinNs: undefined, durationMaxNs: undefined, limit: 1 },
    });
    expect(task).toMatchObject({ state: 'done', spans: count / 1_000 });
    const left = storedSpans(store.storage, nodeDisk, DEFAULT_TENANT);
    expect([left.length, left.filter((line) => line.includes('secret')).length]).toEqual([count - count / 1_000, 0]);
    expect(store.storage.listOperations(DEFAULT_TENANT, 'shop').items.map(({ name }) => name)).toEqual(['plain']);
  });

  test('goes on after a restart, also when its rows went and their names did not', async () => {
    await using store = new DeletingStore();
    const random = createRandom(9);
    const request = randomSpans(random, NOON_NS, 8);
    await write(store.storage, [request]);
    const traceIds = [...new Set(knownSpans(request).map(({ traceId }) => traceId))].map(
      (id) => new Uint8Array(Buffer.from(id, 'hex')),
    );
    store.selections.set('every trace', { traceIds });
    await store.tasks.close();
    const stored = { id: 'a1', tenant: DEFAULT_TENANT, query: 'every trace', acceptedMs: 1 };
    writeFileSync(join(store.folder.path, DELETE_TASKS_FILE), JSON.stringify({ version: 1, tasks: [stored] }));
    store.tasks = store.open();
    expect(await store.ended('a1')).toMatchObject({ state: 'done' });
    expect((await store.reader.hasTraces({ tenant: DEFAULT_TENANT }, traceIds)).traceIds).toEqual([]);
    expect(store.storage.listServices(DEFAULT_TENANT).items).toEqual([]);
    expect(JSON.parse(readFileSync(join(store.folder.path, DELETE_TASKS_FILE), 'utf8'))).toEqual({
      version: 1,
      tasks: [],
    });
  });

  test('finds its spans again when retention drops a part of the day while it is written', async () => {
    const clock = new FakeClock();
    const inline = inlineMergeRunner(nodeDisk);
    let dropped: Promise<void> | undefined;
    let attempts = 0;
    const run: MergeRunner['run'] = async (job, more) => {
      if (!isFlush(job)) attempts++;
      // Once, when the day is being written without the spans: its oldest parts go, for the limit on the disk.
      if (!isFlush(job) && dropped === undefined) {
        clock.advance(10_000);
        dropped = store.storage.runMaintenance();
        await expect.poll(async () => (await store.storage.stats()).retentionDropped.bytes.parts).toBeGreaterThan(0);
      }
      return await inline.run(job, more);
    };
    await using store: DeletingStore = new DeletingStore({
      clock,
      mergeRunner: { ...inline, run },
      diskBytesMax: await dayBytes(4),
    });
    await writeParts(store.storage, 6);
    const task = await store.delete({ traceIds: [traceIdOf(5)] });
    await dropped;
    expect(task).toMatchObject({ state: 'done', spans: 4 });
    expect(attempts).toBeGreaterThan(2);
    const { traceIds } = await store.reader.hasTraces({ tenant: DEFAULT_TENANT }, [4, 5].map(traceIdOf));
    // What was dropped is gone, too, and what is left is what nobody deleted.
    expect(traceIds.map((id) => Buffer.from(id).toString('hex'))).toEqual([Buffer.from(traceIdOf(4)).toString('hex')]);
  });

  test('fails while a log file of the day is parked, says so, and takes nothing', async () => {
    const inline = inlineMergeRunner(nodeDisk);
    let isDeadly = true;
    const run: MergeRunner['run'] = async (job, more) => {
      if (isDeadly && isFlush(job)) throw new StoreError('WORKER_FAILED', 'the thread died');
      return await inline.run(job, more);
    };
    await using store = new DeletingStore({ mergeRunner: { ...inline, run } });
    await store.storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 8 }));
    await store.storage.forceFlush().catch(() => undefined);
    expect((await store.storage.stats()).parkedLogFiles.size).toBe(1);
    isDeadly = false;
    const task = await store.delete({ traceIds: [traceIdOf(0)] });
    expect(task).toMatchObject({ state: 'failed', spans: 0, notes: [expect.stringContaining('a parked log file')] });
    expect((await store.reader.hasTraces({ tenant: DEFAULT_TENANT }, [traceIdOf(0)])).traceIds).toHaveLength(1);
  });

  test('that was stopped ends, and a list of tasks that cannot be read is an error that says what to do', async () => {
    await using store = new DeletingStore();
    await write(store.storage, [randomSpans(createRandom(1), NOON_NS, 4)]);
    const selection = { traceIds: [new Uint8Array(16).fill(9)] };
    store.selections.set('this', selection);
    const ids = [store.tasks.start(DEFAULT_TENANT, 'this'), store.tasks.start(DEFAULT_TENANT, 'this')];
    expect(store.tasks.active.map(({ id, state }) => [id, state])).toEqual([
      [ids[0], 'running'],
      [ids[1], 'waiting'],
    ]);
    await store.tasks.stop(ids[1]!);
    expect((await store.ended(ids[1]!)).state).toBe('stopped');
    await store.ended(ids[0]!);
    await expect(store.tasks.stop(ids[0]!)).rejects.toThrow('/delete/active_tasks');
    await store.tasks.close();
    writeFileSync(join(store.folder.path, DELETE_TASKS_FILE), '{"version":');
    expect(() => store.open()).toThrow('remove it, and run those tasks again');
  });
});

/** A part for each of `count` requests of one trace. */
async function writeParts(storage: Storage, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await storage.write(DEFAULT_TENANT, requestOf({ first: 4 * n, count: 4 }));
    await storage.forceFlush();
  }
}

/** Bytes of a day with so many of these parts. */
async function dayBytes(parts: number): Promise<number> {
  await using store = new DeletingStore();
  await writeParts(store.storage, parts);
  return (await store.storage.stats()).diskBytes;
}

/** Files and blocks with the text, snapshots left out. */
function placesOf({ folder, storage, archiveFolder }: DeletingStore, text: string): string[] {
  const files = walkFiles(folder.path)
    .filter(({ name }) => !name.startsWith('snapshots/'))
    .filter(({ name }) => readFileSync(join(folder.path, name)).includes(text))
    .map(({ name }) => name);
  const spans = storedSpans(storage, nodeDisk, DEFAULT_TENANT).filter((line) => line.includes(text));
  using asker = new Asker(archiveFolder);
  const archived = archiveFolder.list(DEFAULT_TENANT).map((id) => Buffer.from(id).toString('hex'));
  const traces = [...asker.traces(storage, DEFAULT_TENANT, archived)].filter(([, { json }]) => json.includes(text));
  return [...files, ...spans, ...traces.map(([id]) => id)];
}
