// What a test says to a node and hears from it: OTLP over its three protocols, Jaeger's questions, the operator's commands and
// the ledger. Anything but the expected status throws with what was answered.
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { decodeResponse, encodeRequest, toOtlpJson, type OtlpRequest } from './otlp-proto.ts';
import type { TestNode } from './node-process.ts';

export type Protocol = 'http/protobuf' | 'http/json' | 'grpc';
export const PROTOCOLS: readonly Protocol[] = ['http/protobuf', 'http/json', 'grpc'];

/** Headers of HTTP, metadata of gRPC. */
export type Headers = Readonly<Record<string, string>>;

const OTLP_PATH = '/insert/opentelemetry/v1/traces';
const GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** partial_success of the reply, when there is one. */
export interface Rejected {
  readonly count: number;
  readonly text: string;
}

/** Sends `request` and returns what was rejected of it. Throws when it was not accepted. */
export async function sendTo(
  node: Pick<TestNode, 'url' | 'grpcAddress'>,
  request: OtlpRequest | Uint8Array,
  { protocol = 'http/protobuf', headers = {} }: { protocol?: Protocol; headers?: Headers } = {},
): Promise<Rejected | undefined> {
  if (protocol === 'http/json') {
    if (request instanceof Uint8Array) throw new Error('bytes go as protobuf');
    return await sendJson(node, JSON.stringify(toOtlpJson(request)), headers);
  }
  const body = request instanceof Uint8Array ? request : encodeRequest(request);
  const reply =
    protocol === 'grpc'
      ? await callExport(node.grpcAddress, body, headers)
      : await post(node, body, { 'content-type': 'application/x-protobuf', ...headers });
  const { rejectedSpans, errorMessage } = decodeResponse(reply).partialSuccess ?? {};
  return rejectedSpans === undefined ? undefined : { count: Number(rejectedSpans), text: errorMessage ?? '' };
}

/** Sends OTLP JSON text. */
export async function sendJson(
  node: Pick<TestNode, 'url'>,
  text: string,
  headers: Headers = {},
): Promise<Rejected | undefined> {
  const reply = await post(node, text, { 'content-type': 'application/json', ...headers });
  const { partialSuccess } = JSON.parse(Buffer.from(reply).toString()) as {
    partialSuccess?: { rejectedSpans?: string; errorMessage?: string };
  };
  const { rejectedSpans, errorMessage = '' } = partialSuccess ?? {};
  return rejectedSpans === undefined ? undefined : { count: Number(rejectedSpans), text: errorMessage };
}

async function post(node: Pick<TestNode, 'url'>, body: Uint8Array | string, headers: Headers): Promise<Uint8Array> {
  const response = await fetch(node.url + OTLP_PATH, { method: 'POST', headers, body: Buffer.from(body) });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 200)
    throw new Error(`POST ${OTLP_PATH}: ${response.status} ${Buffer.from(bytes).toString()}`);
  return bytes;
}

/** One raw call of TraceService/Export on a connection of its own; rejects with grpc-js' ServiceError. */
export async function callExport(address: string, body: Uint8Array, headers: Headers = {}): Promise<Uint8Array> {
  const client = new Client(address, credentials.createInsecure());
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const asIs = (bytes: Buffer): Buffer => bytes;
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(GRPC_PATH, asIs, asIs, Buffer.from(body), metadata, (error, reply) => {
        if (error === null) resolve(reply ?? new Uint8Array(0));
        else reject(error);
      });
    });
  } finally {
    client.close();
  }
}

/** Status, media type and text of a GET. */
export async function ask(
  node: Pick<TestNode, 'url'>,
  path: string,
  headers: Headers = {},
): Promise<[number, string, string]> {
  const response = await fetch(node.url + path, { headers });
  return [response.status, response.headers.get('content-type') ?? '', await response.text()];
}

/** The JSON of a GET that must answer 200. */
export async function askJson<T>(node: TestNode, path: string, headers: Headers = {}): Promise<T> {
  const [status, , text] = await ask(node, path, headers);
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`);
  return JSON.parse(text) as T;
}

export interface JaegerTrace {
  readonly traceID: string;
  readonly spans: readonly { readonly spanID: string; readonly operationName: string; readonly startTime: number }[];
}

export interface SearchTerms {
  readonly service: string;
  readonly operation?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** ns since the epoch; sent in µs. */
  readonly startNs?: bigint;
  readonly endNs?: bigint;
  /** ns; 0 = off, as in Jaeger. */
  readonly minNs?: number;
  readonly maxNs?: number;
  readonly limit?: number;
}

export function searchPath(terms: SearchTerms): string {
  const { service, operation = '', tags = {}, startNs, endNs, minNs = 0, maxNs = 0, limit = 1000 } = terms;
  const params = new URLSearchParams({ service, operation, limit: String(limit) });
  if (Object.keys(tags).length > 0) params.set('tags', JSON.stringify(tags));
  if (startNs !== undefined) params.set('start', String(startNs / 1000n));
  if (endNs !== undefined) params.set('end', String(endNs / 1000n));
  if (minNs > 0) params.set('minDuration', `${minNs / 1000}us`);
  if (maxNs > 0) params.set('maxDuration', `${maxNs / 1000}us`);
  return `/api/traces?${params.toString()}`;
}

/** The traces a search finds, in the order of the answer. */
export async function search(node: TestNode, terms: SearchTerms, headers: Headers = {}): Promise<JaegerTrace[]> {
  return (await askJson<{ data: JaegerTrace[] }>(node, searchPath(terms), headers)).data;
}

/** One trace as OTLP JSON text; undefined when there is none. */
export async function exportText(node: TestNode, traceId: string, headers: Headers = {}): Promise<string | undefined> {
  const [status, , text] = await ask(node, `/api/v3/traces/${traceId}`, headers);
  if (status === 404) return undefined;
  if (status !== 200) throw new Error(`trace ${traceId}: ${status} ${text}`);
  return text;
}

/** One trace as the OTLP message {"resourceSpans": …}; undefined when there is none. */
export async function exportTrace(node: TestNode, traceId: string, headers: Headers = {}): Promise<unknown> {
  const text = await exportText(node, traceId, headers);
  return text === undefined ? undefined : (JSON.parse(text) as { result: unknown }).result;
}

/** POST /internal/force_flush or /internal/force_merge; resolves when it is done. */
export async function force(node: TestNode, what: 'flush' | 'merge'): Promise<void> {
  const response = await fetch(`${node.url}/internal/force_${what}`, { method: 'POST' });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`force_${what}: ${response.status} ${text}`);
}

/** Every sample of /metrics by its name and labels, for example vt_rows_dropped_total{reason="too_large"}. */
export async function readMetrics(node: Pick<TestNode, 'url'>): Promise<Map<string, number>> {
  const [, , text] = await ask(node, '/metrics');
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

/** The ledger: what was received, stored and dropped, and what lies on disk. */
export async function readLedger(node: TestNode): Promise<Readonly<Record<string, number>>> {
  const metrics = await readMetrics(node);
  const isLedger = /^(tracelith_rows_(received|stored)_total|vt_rows_(ingested|dropped)_total|vt_storage_rows)/;
  return Object.fromEntries([...metrics].filter(([name]) => isLedger.test(name)));
}
