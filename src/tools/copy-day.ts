// Compares a day on two running nodes, and copies traces of which one lacks a span. Copying twice changes nothing, because a
// node stores a span once: an interrupted copy is simply begun again, and finds less to do.
import { StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import { decodeExportResponse } from '../otlp/rpc-messages.ts';
import { join } from 'node:path';
import type { PlaceInLog } from '../ingest-log/place-in-log.ts';
import { TRACE_ID_BYTES } from '../trace/ids.ts';
import { COPY_PROTOCOL_HEADER, COPY_PROTOCOL_VERSION } from '../trace/span-digests.ts';
import { BodyReader, unbroken, type NodeClient } from './node-client.ts';
import { BUCKETS, lackedBy, readDigests, SpanBuckets } from './span-buckets.ts';

/** In the place of a day: the traces that people chose to keep. */
export const ARCHIVE = 'archive';
const COPY_HEADERS = { [COPY_PROTOCOL_HEADER]: String(COPY_PROTOCOL_VERSION) };
/** Traces of one request. */
const TRACES_PER_REQUEST = 256;
/** OTLP bytes of one write, unless a single trace has more. */
const WRITE_BYTES = 4 << 20;

export interface DayPair {
  readonly disk: Disk;
  /** A folder for temporary files. */
  readonly workPath: string;
  readonly from: NodeClient;
  readonly to: NodeClient;
  /** YYYYMMDD */
  readonly day: string;
  /** ACCOUNT:PROJECT */
  readonly tenant: string;
  /** Of other traces it does not matter that a node lacks them; all count when absent. */
  readonly isMeant?: (traceId: Uint8Array) => boolean;
}

export interface DayDifference {
  /** Spans that the node `from` has, duplicates included. */
  readonly spans: number;
  /** Traces with a span that the other node lacks. */
  readonly onlyFrom: number;
  readonly onlyTo: number;
  /** What a node could not read. */
  readonly warnings: readonly string[];
}

/** Called with the ids of traces that differ, some at a time. */
export interface OnDifference {
  readonly onlyFrom: (ids: readonly Buffer[]) => Promise<void>;
  readonly onlyTo: (ids: readonly Buffer[]) => Promise<void>;
}

/**
 * Finds the traces of the day that differ. What comes to both nodes while it runs counts as equal, if `to` has it soon after
 * `from`. Throws UNAVAILABLE, INVALID_REQUEST, DISK.
 */
export async function compareDay(pair: DayPair, found: OnDifference): Promise<DayDifference> {
  const { disk, workPath, isMeant = () => true } = pair;
  const open = (name: string): SpanBuckets => {
    const path = join(workPath, name);
    disk.remove(path);
    disk.makeDir(path);
    return new SpanBuckets(disk, path);
  };
  using from = open('from');
  using to = open('to');
  const warnings = [...(await fill(from, pair.from, pair)), ...(await fill(to, pair.to, pair))];
  let onlyFrom = 0;
  let onlyTo = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const [here, there] = [from.read(bucket), to.read(bucket)];
    const lackedThere = lackedBy(there, here).filter(isMeant);
    const lackedHere = lackedBy(here, there).filter(isMeant);
    onlyFrom += lackedThere.length;
    onlyTo += lackedHere.length;
    if (lackedThere.length > 0) await found.onlyFrom(lackedThere);
    if (lackedHere.length > 0) await found.onlyTo(lackedHere);
  }
  return { spans: from.spans, onlyFrom, onlyTo, warnings };
}

async function fill(buckets: SpanBuckets, node: NodeClient, { day, tenant }: DayPair): Promise<string[]> {
  // What came before a break is there twice, which changes nothing.
  const warnings = await unbroken(async () => {
    const answer = await node.call(`/internal/partition/digests?name=${day}`, { headers: tenantHeaders(tenant) });
    return await readDigests(new BodyReader(answer), (record) => buckets.add(record));
  });
  return warnings.map((warning) => `${node.url}: ${warning}`);
}

export interface Copied {
  readonly traces: number;
  readonly bytes: number;
  /** Why the target rejected spans, one line for each such write. */
  readonly rejections: readonly string[];
}

/** The part of the log that the node holds; undefined: it reads none, or is older than logs. Throws UNAVAILABLE, INVALID_REQUEST. */
export async function askPlaceInLog(node: NodeClient): Promise<PlaceInLog | undefined> {
  const answer = await node.call('/internal/partition/log', { headers: COPY_HEADERS, expected: [200, 404] });
  const text = await answer.text();
  if (answer.status === 404) return undefined;
  checkProtocol(node, answer);
  return (JSON.parse(text) as PlaceInLog | null) ?? undefined;
}

export interface TracesToCopy {
  readonly from: NodeClient;
  readonly to: NodeClient;
  readonly tenant: string;
  readonly ids: readonly Buffer[];
  /** Of `to`, as its flags and its release have it. */
  readonly writePath: string;
}

/** A storage node of a log takes spans from elsewhere only here. */
export function writePathOf(place: PlaceInLog | undefined): string {
  return place === undefined ? '/insert/opentelemetry/v1/traces' : '/internal/partition/write';
}

/** Copies whole traces. Resolves when they are durable. `progress` is called after each write. Throws as compareDay. */
export async function copyTraces(
  copy: TracesToCopy,
  progress: (traces: number, bytes: number) => void,
): Promise<Copied> {
  const sum = { traces: 0, bytes: 0, rejections: [] as string[] };
  let batch: Buffer[] = [];
  const write = async (): Promise<void> => {
    const body = Buffer.concat(batch);
    const rejection = await writeTo(copy, body);
    if (rejection !== undefined) sum.rejections.push(rejection);
    sum.traces += batch.length;
    sum.bytes += body.length;
    progress(batch.length, body.length);
    batch = [];
  };
  const copySome = async (ids: readonly Buffer[]): Promise<void> => {
    batch = [];
    for await (const otlp of readTraces(copy, ids)) {
      const size = batch.reduce((bytes, { length }) => bytes + length, otlp.length);
      if (batch.length > 0 && size > WRITE_BYTES) await write();
      batch.push(otlp);
    }
    if (batch.length > 0) await write();
  };
  for (let at = 0; at < copy.ids.length; at += TRACES_PER_REQUEST)
    await unbroken(() => copySome(copy.ids.slice(at, at + TRACES_PER_REQUEST)));
  return sum;
}

/** OTLP of the traces that `from` still has. An answer that would be too large is asked for in halves. */
export async function* readTraces(
  copy: Pick<TracesToCopy, 'from' | 'tenant'>,
  ids: readonly Buffer[],
): AsyncGenerator<Buffer, void, undefined> {
  const headers = tenantHeaders(copy.tenant);
  const expected = ids.length > 1 ? [200, 413] : [200];
  const answer = await copy.from.call('/internal/partition/traces', { headers, body: Buffer.concat(ids), expected });
  if (answer.status === 413) {
    await answer.body?.cancel();
    yield* readTraces(copy, ids.slice(0, ids.length >> 1));
    yield* readTraces(copy, ids.slice(ids.length >> 1));
    return;
  }
  const body = new BodyReader(answer);
  for (let head = await body.read(4); head !== undefined; head = await body.read(4)) {
    const otlp = await body.read(head.readUInt32LE());
    if (otlp === undefined) throw body.brokenOff();
    yield otlp;
  }
}

/** TracesData and ExportTraceServiceRequest have the same bytes. Returns why spans were rejected, if some were. */
async function writeTo({ to, tenant, writePath }: TracesToCopy, body: Uint8Array): Promise<string | undefined> {
  const headers = { ...tenantHeaders(tenant), 'content-type': 'application/x-protobuf' };
  const answer = await to.call(writePath, { headers, body });
  const { rejectedSpans, errorMessage } = decodeExportResponse(new Uint8Array(await answer.arrayBuffer()));
  return rejectedSpans === 0 ? undefined : `${to.url}: ${rejectedSpans} spans rejected: ${errorMessage}`;
}

/** The tenants with spans of the day, or with archived traces. Throws UNAVAILABLE, INVALID_REQUEST. */
export async function askTenants(node: NodeClient, day: string): Promise<string[]> {
  const answer = await node.call(`/internal/partition/tenants?name=${day}`, { headers: COPY_HEADERS });
  checkProtocol(node, answer);
  return (await answer.json()) as string[];
}

/** Ids of the tenant's traces of that day, or of those in the archive, each once. Throws as askTenants. */
export async function readIds(node: NodeClient, day: string, tenant: string): Promise<Buffer[]> {
  const ids = new Map<string, Buffer>();
  await unbroken(async () => {
    const headers = { ...COPY_HEADERS, ...tenantHeaders(tenant) };
    const answer = await node.call(`/internal/partition/digests?name=${day}`, { headers });
    await readDigests(new BodyReader(answer), (record) => {
      const id = Buffer.from(record.subarray(0, TRACE_ID_BYTES));
      ids.set(id.toString('hex'), id);
    });
  });
  return [...ids.values()];
}

/** Throws INVALID_REQUEST unless the node speaks this version of the protocol. */
function checkProtocol({ url }: NodeClient, { headers }: Response): void {
  const spoken = headers.get(COPY_PROTOCOL_HEADER);
  if (spoken === String(COPY_PROTOCOL_VERSION)) return;
  const what = spoken === null ? 'no version' : `version ${spoken}`;
  const text = `${url} speaks ${what} of the copy protocol, and this program version ${COPY_PROTOCOL_VERSION}`;
  throw new StoreError('INVALID_REQUEST', `${text}: upgrade the older of the two`);
}

function tenantHeaders(tenant: string): Record<string, string> {
  return { 'x-tenant': tenant };
}
