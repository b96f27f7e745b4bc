// What a storage node asks of itself and of its twin before it counts its gaps of the log as filled, and what it says meanwhile. The nodes
// here keep to the protocol and have no spans; that spans are copied is what test/system/log-gap-filler.test.ts shows.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Closing } from '../../src/base/closing.ts';
import { StoreError } from '../../src/base/errors.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { PartitionState } from '../../src/ingest-log/log-consumer.ts';
import { placeInLog } from '../../src/ingest-log/place-in-log.ts';
import type { LogGap } from '../../src/storage/consumed-offsets.ts';
import { GapFiller, ownUrl } from '../../src/tools/gap-filler.ts';
import { COPY_PROTOCOL_HEADER, COPY_PROTOCOL_VERSION } from '../../src/trace/span-digests.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { waitFor } from '../support/role-process.ts';

const at = Date.parse('2026-11-20T10:00:00Z');
const gapTo = (to: bigint, ms = at): LogGap => ({ from: 1n, to, fromMs: ms, toMs: ms });
const DAYS = ['20200101', '20261120', '20280101'];

/** A storage node of a log with one partition. */
class AskedNode implements AsyncDisposable {
  /** Paths, in turn. */
  readonly asked: string[] = [];
  days: readonly string[] = [];
  tenants: readonly string[] = ['0:0'];
  gap: LogGap | undefined;
  /** Before it answers. */
  onAsked: (path: string) => void = () => undefined;
  ordinal = 0;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  static async open(given: Partial<Pick<AskedNode, 'days' | 'gap' | 'tenants' | 'ordinal'>>): Promise<AskedNode> {
    const node = Object.assign(new AskedNode(), given);
    await new Promise<void>((resolve) => void node.#server.listen(0, '127.0.0.1', resolve));
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get state(): PartitionState {
    const none = { messages: 0, replayed: 0, replayedUntil: 0n, setAside: 0, interrupted: 0, holeReads: 0 };
    return { ...none, partition: 0, identity: 'log', consumed: 20n, last: 20n, storedTimeMs: at, gap: this.gap };
  }

  #answer({ url: path = '' }: IncomingMessage, response: ServerResponse): void {
    this.asked.push(path);
    this.onAsked(path);
    response.setHeader(COPY_PROTOCOL_HEADER, COPY_PROTOCOL_VERSION);
    const json = (value: unknown): void => void response.end(JSON.stringify(value));
    const part = { zone: 'a', ordinal: this.ordinal, nodes: 1 + this.ordinal, partitions: 1 + this.ordinal };
    if (path === '/internal/partition/log') json(placeInLog(part, [this.state]));
    else if (path === '/internal/partition/list') json(this.days);
    else if (path.startsWith('/internal/partition/tenants')) json(this.tenants);
    else if (path.startsWith('/internal/partition/digests')) response.end(noDigests());
    else if (path === '/internal/partition/fill_log_gaps?partitions=0') {
      this.gap = undefined;
      response.end('OK\n');
    } else response.writeHead(404).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The end of an answer that has no spans. */
function noDigests(): Buffer {
  const end = Buffer.from('{"warnings":[]}');
  const head = Buffer.alloc(20);
  head.writeUInt32LE(end.length, 16);
  return Buffer.concat([head, end]);
}

interface Line {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A filler at work, that looks again at once. */
async function filling(own: AskedNode, sources: readonly AskedNode[], disk: Disk = nodeDisk) {
  const folder = new TemporaryFolder();
  const lines: Line[] = [];
  const log = (message: string, fields = {}): void => void lines.push({ message, fields });
  const filler = new GapFiller({
    states: () => [own.state],
    disk,
    logger: { info: log, warn: log, error: log },
    sources: sources.map(({ url }) => ({ url, tries: 1 })),
    own: () => ({ url: own.url, tries: 1 }),
    storageDataPath: folder.path,
    lookMs: 1,
    retryMs: 1,
  });
  const closing = new Closing();
  filler.begin({}, closing);
  const dispose = async (): Promise<void> => {
    await closing.close();
    folder[Symbol.dispose]();
  };
  return { filler, lines, folder, [Symbol.asyncDispose]: dispose };
}

const isFill = (path: string): boolean => path.includes('fill_log_gaps');

describe('a gap is filled', () => {
  test.for([
    ['of a known time', gapTo(9n)],
    ['without a time, as the first records had it', gapTo(9n, 0)],
  ] as const)('%s, after every day of the twin was compared', async ([, gap]) => {
    await using twin = await AskedNode.open({ days: DAYS });
    await using own = await AskedNode.open({ gap });
    await using run = await filling(own, [twin]);
    await waitFor('the gap to be filled', () => own.gap === undefined);
    const compared = (node: AskedNode): string[] => node.asked.filter((path) => path.includes('digests'));
    const digests = DAYS.map((day) => `/internal/partition/digests?name=${day}`);
    expect([compared(twin), compared(own)]).toEqual([digests, digests]);
    expect(own.asked.findIndex(isFill)).toBeGreaterThan(own.asked.lastIndexOf(digests.at(-1)!));
    await waitFor('it to be said', () => !run.filler.state.isRunning);
    expect(run.filler.state).toEqual({ attempts: 1, failures: 0, isRunning: false });
  });

  test('whose twin has no day at all', async () => {
    await using twin = await AskedNode.open({});
    await using own = await AskedNode.open({ gap: gapTo(9n) });
    await using _ = await filling(own, [twin]);
    await waitFor('the gap to be filled', () => own.gap === undefined);
  });
});

describe('a gap stays', () => {
  test('while the twin has days, and tells of no tenant to compare', async () => {
    await using twin = await AskedNode.open({ days: DAYS, tenants: [] });
    await using own = await AskedNode.open({ gap: gapTo(9n) });
    await using run = await filling(own, [twin]);
    await waitFor('attempts in vain', () => run.filler.state.failures > 1);
    expect(own.asked.filter(isFill)).toEqual([]);
    expect(JSON.stringify(run.lines)).toContain('told of no spans in them');
    twin.tenants = ['0:0'];
    await waitFor('the gap to be filled', () => own.gap === undefined);
  });

  test('that grows before the second node is asked: until an attempt began with all of it', async () => {
    await using other = await AskedNode.open({ ordinal: 1 });
    await using twin = await AskedNode.open({ days: DAYS });
    await using own = await AskedNode.open({ gap: gapTo(5n) });
    other.onAsked = () => {
      if (own.gap !== undefined) own.gap = gapTo(9n);
    };
    await using run = await filling(own, [other, twin]);
    await waitFor('the gap to be filled', () => own.gap === undefined);
    await waitFor('the second attempt', () => run.filler.state.attempts === 2);
    expect(run.filler.state.failures).toBe(1);
  });

  test('that grows while days are compared', async () => {
    await using twin = await AskedNode.open({ days: DAYS });
    await using own = await AskedNode.open({ gap: gapTo(5n) });
    let grown = 0;
    twin.onAsked = (path) => {
      if (path.includes('tenants') && grown++ === 0) own.gap = gapTo(9n);
    };
    await using run = await filling(own, [twin]);
    await waitFor('the gap to be filled', () => own.gap === undefined);
    expect(run.filler.state.failures).toBe(1);
    expect(JSON.stringify(run.lines)).toContain('changed meanwhile');
  });
});

test('its note, which anybody may read, names no node, and its log has constant messages', async () => {
  await using twin = await AskedNode.open({ days: DAYS, tenants: [] });
  await using own = await AskedNode.open({ gap: gapTo(9n) });
  await using run = await filling(own, [twin]);
  const notes = new Set<string>();
  await waitFor('a note of attempts in vain', () => {
    notes.add(run.filler.note);
    return run.filler.note.includes('it could not be copied yet');
  });
  for (const note of notes) expect(note).not.toMatch(/http|127\.0\.0\.1|told of/);
  const messages = new Set(run.lines.map(({ message }) => message));
  expect([...messages].join('\n')).not.toMatch(/127\.0\.0\.1|2026|days/);
  expect(run.lines.map(({ fields }) => fields['text'])).toContainEqual(expect.stringContaining('sync: 3 days'));
});

test('a folder that cannot be removed is warned of, and nothing is removed on the main thread', async () => {
  await using twin = await AskedNode.open({ days: DAYS });
  await using own = await AskedNode.open({ gap: gapTo(9n) });
  const refuse = (path: string): never => {
    throw new StoreError('DISK', `${path}: remove failed: EACCES`);
  };
  const disk = { ...nodeDisk, remove: refuse, removeAsync: async (path: string) => refuse(path) };
  await using run = await filling(own, [twin], disk);
  await waitFor('the gap to be filled', () => own.gap === undefined);
  await waitFor('the end of the attempt', () => run.lines.some(({ message }) => message.includes('has all that')));
  const warnings = run.lines.filter(({ message }) => message.includes('temporary files'));
  expect(warnings.map(({ fields }) => String(fields['error']))).toContainEqual(
    expect.stringContaining(join(run.folder.path, 'sync')),
  );
  expect(run.filler.state.failures).toBe(0);
});

const plain = { logSyncTo: undefined, httpTls: false, httpPathPrefix: '' };

test.for([
  [{ http: '127.0.0.1:10428' }, plain, 'http://127.0.0.1:10428'],
  [{ http: '0.0.0.0:10428' }, plain, 'http://127.0.0.1:10428'],
  [{ http: '10.0.0.0:10428' }, plain, 'http://10.0.0.0:10428'],
  // A machine with IPv6 only has no 127.0.0.1.
  [{ http: '[::]:10428' }, plain, 'http://[::1]:10428'],
  [{ http: '[fd00::5]:10428' }, plain, 'http://[fd00::5]:10428'],
  [{ http: '0.0.0.0:10428', admin: '10.0.0.7:10429' }, plain, 'http://10.0.0.7:10429'],
  [{ http: '0.0.0.0:10428', admin: '[::]:10429' }, plain, 'http://[::1]:10429'],
  [{ http: '0.0.0.0:10428' }, { ...plain, httpPathPrefix: '/traces' }, 'http://127.0.0.1:10428/traces'],
  [{ http: 'a-0.example:10428' }, { ...plain, httpTls: true }, 'https://a-0.example:10428'],
  [{ http: '[::]:10428' }, { ...plain, logSyncTo: 'https://me:pass@a-0:1/p' }, 'https://me:pass@a-0:1/p'],
] as const)('a node that listens at %j with %j reaches itself at %s', ([addresses, config, url]) => {
  expect(ownUrl(addresses, config)).toBe(url);
});
