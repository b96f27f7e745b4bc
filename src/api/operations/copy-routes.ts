// What another node, or `tracelith sync` and `tracelith move`, read of this one to copy its days: digests of a day's spans,
// traces as OTLP, files of snapshots; and the way in for copied spans, the only one into a storage node of a log. Formats: docs/format/copy-protocol.md.
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ARCHIVE_FOLDER, archivedTraceOf, archiveFiles } from '../../archive/archive-folder.ts';
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import type { Logger } from '../../base/logger.ts';
import type { PlaceInLog } from '../../ingest-log/place-in-log.ts';
import { nodeDisk } from '../../disk/node-disk.ts';
import { parseDay } from '../../partition/day.ts';
import { COPY_PROTOCOL_HEADER, COPY_PROTOCOL_VERSION, type SpanDigester } from '../../trace/span-digests.ts';
import type { FoundTrace, StoreAdmin, TraceReader } from '../../trace/store.ts';
import { TRACE_ID_BYTES } from '../../trace/ids.ts';
import { encodeWriteResult } from '../../otlp/partial-success.ts';
import { principalOf, tenantOf } from '../access/guard-routes.ts';
import type { AnswerBudget } from '../edge/answer-budget.ts';
import type { Intake } from '../edge/intake.ts';
import { receiveBody } from '../http/request-body.ts';

export interface CopyRoutesOptions {
  readonly admin: Pick<StoreAdmin, 'listTenants'>;
  readonly digester: SpanDigester;
  readonly reader: Pick<TraceReader, 'findTraces'>;
  readonly intake: Pick<Intake, 'open' | 'write' | 'requestBytesMax'>;
  /** undefined: the node reads no log, and takes copied spans as all others. */
  readonly placeInLog?: (() => PlaceInLog) | undefined;
  readonly answers: AnswerBudget;
  readonly logger: Logger;
  readonly storageDataPath: string;
}

/** Traces of one request. */
const TRACES_MAX = 1_024;
const BINARY = 'application/octet-stream';

export async function registerCopyRoutes(scope: FastifyInstance, options: CopyRoutesOptions): Promise<void> {
  await scope.register(async (app) => await registerUncompressed(app, options));
}

async function registerUncompressed(app: FastifyInstance, options: CopyRoutesOptions): Promise<void> {
  const { admin } = options;
  // @fastify/compress takes a stream that happens to begin with 0x78 0x01 for one that is compressed already, and says so to the
  // client. Digests do not compress, and parts are compressed.
  app.addHook('onRequest', async (request) => {
    request.headers['x-no-compression'] = 'true';
  });
  app.addHook('onRequest', async (request, reply) => {
    checkProtocol(request);
    reply.header(COPY_PROTOCOL_HEADER, String(COPY_PROTOCOL_VERSION));
  });
  app.post('/internal/partition/tenants', async (request, reply) => {
    if (isOfArchive(request)) return reply.type('application/json').send(JSON.stringify(archivedTenants(options)));
    return reply.type('application/json').send(JSON.stringify(await admin.listTenants(readDay(request).name)));
  });
  app.post('/internal/partition/digests', async (request, reply) => {
    return isOfArchive(request) ? sendArchivedIds(request, reply, options) : sendDigests(request, reply, options);
  });
  app.post('/internal/partition/log', async (_request, reply) =>
    reply.type('application/json').send(JSON.stringify(options.placeInLog?.() ?? null)),
  );
  app.post('/internal/partition/write', async (request, reply) => writeCopies(request, reply, options));
  app.post('/internal/partition/traces', async (request, reply) => sendTraces(request, reply, options));
  await app.register(fastifyStatic, {
    root: resolve(options.storageDataPath, 'snapshots'),
    prefix: '/internal/partition/snapshot/file/',
    decorateReply: false,
    index: false,
    cacheControl: false,
  });
}

/** A tool that says which version it speaks must speak this one. Throws INVALID_REQUEST. */
function checkProtocol({ headers }: FastifyRequest): void {
  const spoken = headers[COPY_PROTOCOL_HEADER] ?? String(COPY_PROTOCOL_VERSION);
  if (spoken === String(COPY_PROTOCOL_VERSION)) return;
  const text = `this node speaks version ${COPY_PROTOCOL_VERSION} of the copy protocol, and the tool version ${String(spoken)}`;
  throw new StoreError('INVALID_REQUEST', `${text}: upgrade the older of the two`);
}

/** Whether the request asks for archived traces in the place of a day's. */
function isOfArchive({ query }: FastifyRequest): boolean {
  return (query as Readonly<Record<string, unknown>>)['name'] === ARCHIVE_FOLDER;
}

function listArchived({ storageDataPath }: CopyRoutesOptions) {
  const paths = archiveFiles(nodeDisk, join(storageDataPath, ARCHIVE_FOLDER));
  return paths.flatMap((path) => archivedTraceOf(path) ?? []);
}

function archivedTenants(options: CopyRoutesOptions): string[] {
  return [...new Set(listArchived(options).map(({ tenant }) => tenant))].sort();
}

/** As digests without any: which spans a trace has does not matter to who copies it whole. */
function sendArchivedIds(request: FastifyRequest, reply: FastifyReply, options: CopyRoutesOptions): FastifyReply {
  const wanted = tenantOf(request);
  const ids = listArchived(options).flatMap(({ tenant, traceId }) => (tenant === wanted ? [traceId] : []));
  const records = ids.map((id) => Buffer.concat([id, Buffer.alloc(4)]));
  return reply.type(BINARY).send(Buffer.concat([...records, lastRecord([])]));
}

/** The parameter `name`. Throws INVALID_REQUEST unless it is a day as YYYYMMDD. */
function readDay(request: FastifyRequest): { readonly name: string; readonly day: number } {
  const { name } = request.query as Readonly<Record<string, unknown>>;
  const day = typeof name === 'string' ? parseDay(name) : undefined;
  if (typeof name === 'string' && day !== undefined) return { name, day };
  const got = JSON.stringify(name ?? '').slice(0, 40);
  throw new StoreError('INVALID_REQUEST', `name: expected a day as YYYYMMDD, got ${got}`);
}

/** Fires when the client has left or has its answer. */
function signalOf(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort());
  return controller.signal;
}

function sendDigests(request: FastifyRequest, reply: FastifyReply, options: CopyRoutesOptions): FastifyReply {
  const tenant = tenantOf(request);
  const pages = options.digester.digestSpans({ tenant, signal: signalOf(reply) }, readDay(request).day);
  const records = async function* (): AsyncGenerator<Uint8Array> {
    const warnings = new Set<string>();
    for await (const page of pages) {
      for (const warning of page.warnings) warnings.add(warning);
      if (page.records.length > 0) yield page.records;
    }
    yield lastRecord([...warnings]);
  };
  return reply.type(BINARY).send(paced(records(), options.logger));
}

/** A stream that is made as fast as the client reads, and cut off when it takes nothing for too long. */
function paced(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, logger: Logger): Readable {
  const stall = setTimeout(() => {
    stream.destroy(new StoreError('CANCELLED', `the client took nothing for ${limits.answerStallMsMax} ms`));
  }, limits.answerStallMsMax);
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      stall.refresh();
      yield chunk;
      stall.refresh();
    }
  };
  const stream = Readable.from(chunks(), { objectMode: false });
  stream.once('close', () => clearTimeout(stall));
  stream.once('error', (error) => logger.error('an answer broke off while it was being sent', { error }));
  return stream;
}

/** Follows all digests: no trace id, the length of a JSON text, the text. Without it an answer is incomplete. */
function lastRecord(warnings: readonly string[]): Uint8Array {
  const text = Buffer.from(JSON.stringify({ warnings }));
  const head = Buffer.alloc(TRACE_ID_BYTES + 4);
  head.writeUInt32LE(text.length, TRACE_ID_BYTES);
  return Buffer.concat([head, text]);
}

async function sendTraces(
  request: FastifyRequest,
  reply: FastifyReply,
  { intake, reader, answers, logger }: CopyRoutesOptions,
): Promise<FastifyReply> {
  const tenant = tenantOf(request);
  using account = intake.open(tenant);
  const { bytes } = await receiveBody(request.raw, { sizeMax: TRACES_MAX * TRACE_ID_BYTES, account });
  if (bytes.length % TRACE_ID_BYTES !== 0)
    throw new StoreError('INVALID_REQUEST', `body: ${bytes.length} bytes are no list of trace ids of 16 bytes`);
  const signal = signalOf(reply);
  const ids = Array.from({ length: bytes.length / TRACE_ID_BYTES }, (_, i) =>
    Uint8Array.from(bytes.subarray(i * TRACE_ID_BYTES, (i + 1) * TRACE_ID_BYTES)),
  );
  const { traces } = await reader.findTraces({ tenant, signal }, ids);
  answers.hold(traces, signal);
  return reply.type(BINARY).send(paced(frames(traces), logger));
}

/** An ExportTraceServiceRequest with spans of the node's twin. */
async function writeCopies(
  request: FastifyRequest,
  reply: FastifyReply,
  { intake }: CopyRoutesOptions,
): Promise<FastifyReply> {
  using account = intake.open(tenantOf(request));
  const { bytes } = await receiveBody(request.raw, { sizeMax: intake.requestBytesMax, account });
  const call = { principal: principalOf(request), isCopied: true };
  const result = await intake.write(account, bytes, 'opentelemetry_traces_otlphttp_protobuf', call);
  return reply.type('application/x-protobuf').send(encodeWriteResult(result, 'protobuf'));
}

/** For each trace its length (u32, little-endian) and its OTLP. */
function* frames(traces: readonly FoundTrace[]): Generator<Uint8Array> {
  for (const { otlp } of traces) {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(otlp.length);
    yield Buffer.concat([head, otlp]);
  }
}
