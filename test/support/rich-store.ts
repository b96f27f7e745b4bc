// A small data directory with one of everything: two days, parts young and merged with blocks of two tenants, a log with
// blocks that are in no part, indexes, a snapshot, archived traces. Everything but the snapshot's name is the same each time.
import { requests } from '../../native-bench/workload/requests.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { ArchiveFolder } from '../../src/archive/archive-folder.ts';
import { parseTenant } from '../../src/trace/tenant.ts';
import { DAY_MS, openStore } from '../storage/open-store.ts';
import { decodeRequest, encodeRequest } from './otlp-proto.ts';
import { createRandom, randomRequest } from './random-request.ts';
import { randomQuery, randomSpans } from './random-search.ts';
import { knownSpans, type KnownSpan } from './search-oracle.ts';
import { Asker, type Questions } from './store-answers.ts';

export const RICH_TENANTS = [parseTenant('0', '0'), parseTenant('3', '4')] as const;
/** Where FakeClock stands: the newest day. */
const NOON_NS = BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n;
const DAY_NS = BigInt(DAY_MS) * 1_000_000n;

export function openArchive(path: string): ArchiveFolder {
  return new ArchiveFolder({ path, disk: nodeDisk, bytesMax: 1 << 30, freeDiskBytesMin: 0 });
}

/** Writes the store into `path`, as a process that was killed leaves it; gives what may be asked of it. */
export async function writeRichStore(path: string): Promise<Questions> {
  const random = createRandom(20_261_120);
  const known: KnownSpan[] = [];
  let storage = openStore(path);
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const request = i % 3 === 2 ? randomRequest(random, NOON_NS) : onTwoDays(randomSpans(random, NOON_NS, 12));
      known.push(...knownSpans(request));
      await storage.write(RICH_TENANTS[i % 2]!, encodeRequest(request));
    }
  };
  await write(8);
  // What encodings are made for: names that repeat, values with patterns.
  for (const [profile, spans] of [
    ['shop', 24],
    ['chaotic', 6],
  ] as const) {
    const options = { profile, spans, batch: 1_000, seed: 1, startNs: NOON_NS, seconds: 5, instances: 1 };
    for (const { body } of requests(options)) {
      known.push(...knownSpans(decodeRequest(body)));
      await storage.write(RICH_TENANTS[1], body.slice());
    }
  }
  await storage.forceFlush();
  await write(6);
  await storage.forceMerge('');
  await write(6);
  await storage.forceFlush();
  await storage.createSnapshots('20261119');
  await write(4);
  const searches = Array.from({ length: 24 }, () => randomQuery(random, known));
  const windows = [
    [NOON_NS - 2n * DAY_NS, NOON_NS + DAY_NS],
    [NOON_NS - 60_000_000_000n, NOON_NS + 60_000_000_000n],
  ] as const;
  const traceIds = [...new Set(known.map(({ traceId }) => traceId))].sort();
  const questions = { tenants: RICH_TENANTS, traceIds, searches, windows };
  using asker = new Asker();
  const archive = openArchive(path);
  for (const tenant of RICH_TENANTS) {
    const [[id = '', { hex = '' } = {}] = []] = asker.traces(storage, tenant, traceIds);
    const trace = { traceId: Buffer.from(id, 'hex'), otlp: Buffer.from(hex, 'hex') };
    await archive.put(tenant, { traceId: new Uint8Array(trace.traceId), otlp: new Uint8Array(trace.otlp) });
  }
  storage.abandon();
  storage = openStore(path);
  await write(0);
  storage.abandon();
  return questions;
}

/** What randomSpans puts on older days goes to the day before the newest. */
function onTwoDays(request: ReturnType<typeof randomSpans>): ReturnType<typeof randomSpans> {
  const scopes = (request.resourceSpans ?? []).flatMap(({ scopeSpans = [] }) => scopeSpans);
  for (const span of scopes.flatMap(({ spans = [] }) => spans)) {
    const start = span.startTimeUnixNano!;
    const daysOn = (NOON_NS + DAY_NS / 2n - 1n - start) / DAY_NS - 1n;
    if (daysOn <= 0n) continue;
    span.startTimeUnixNano = start + daysOn * DAY_NS;
    span.endTimeUnixNano! += daysOn * DAY_NS;
  }
  return request;
}
