// Flags of what is received: the bounds of requests and spans, and the OTLP listeners.
import { availableParallelism } from 'node:os';
import { flag } from '../base/flag-row.ts';
import { bytes, count, duration, optionalListenAddress, text } from '../base/flag-value.ts';
import { limits } from '../base/limits.ts';

const cores = availableParallelism();

/** Half of all that may be on its way in: a request that can never fit would be told to retry for ever. */
const requestBytesMost = `${limits.intakeBytesMax / 2 ** 21}MiB`;

export const ingestFlags = {
  requestBytesMax: flag(
    'ingest',
    'opentelemetry.traces.maxRequestSize',
    bytes({ min: '1KiB', max: requestBytesMost }),
    {
      default: '64MiB',
      meaning: 'Bytes of one OTLP request after decompression; a larger one is refused (413).',
      reason:
        'As in VictoriaTraces, and half of what may wait for the write thread, so that one request never fills it.',
      example: '-opentelemetry.traces.maxRequestSize=16MiB',
    },
  ),
  spanAttributesMax: flag(
    'ingest',
    'insert.maxAttributesPerSpan',
    count('attributes', { min: 1, max: limits.attributesPerSpanMost }),
    {
      default: '1024',
      meaning:
        'Attributes of one span, of each of its events and of each of its links; a span with more is rejected by name, the others are stored.',
      reason: 'Eight times the default of the SDKs, 128.',
      example: '-insert.maxAttributesPerSpan=4096',
    },
  ),
  spanBytesMax: flag(
    'ingest',
    'insert.maxSpanBytes',
    bytes({ min: '1KiB', max: `${limits.spanBytesMost / 2 ** 20}MiB` }),
    {
      default: '4MiB',
      meaning: 'OTLP bytes of one span; a larger one is rejected by name, the others are stored.',
      reason: 'What a gRPC client with default limits can read back in one message.',
      example: '-insert.maxSpanBytes=16MiB',
    },
  ),
  backfillMaxMs: flag('ingest', 'maxBackfillAge', duration({ min: '0s', max: '100y' }), {
    default: '0s',
    meaning: 'Spans that started longer ago are rejected, within -retentionPeriod. 0s: retention alone decides.',
    reason: 'Off as in VictoriaTraces.',
    example: '-maxBackfillAge=2h',
  }),
  tenantsMax: flag('ingest', 'maxTenants', count('tenants', { min: 1, max: 1_000_000 }), {
    default: '10000',
    meaning: 'Tenants that may have something stored; spans of a further one are refused (429, Retry-After).',
    reason: 'Each costs some KB of memory, and a client may invent one with every request.',
    example: '-maxTenants=100',
  }),
  tenantsConfigPath: flag('ingest', 'tenants.config', text, {
    default: '',
    meaning:
      'File with the limits of tenants (spans and bytes a second, queries at once, days of retention), JSON, docs/operations/tenants.md. Read again when it changes. Empty: none.',
    reason: 'Tenants share fairly what there is; a limit is for who must not take it even when it is free.',
    example: '-tenants.config=/etc/tracelith/tenants.json',
  }),
  redactionConfigPath: flag('ingest', 'redaction.config', text, {
    default: '',
    meaning:
      'File with the rules for what is taken out of spans before they are stored (JSON, docs/operations/redaction.md). Read again when it changes. Empty: nothing.',
    reason: 'Only who knows the data knows what must not be in it.',
    example: '-redaction.config=/etc/tracelith/redaction.json',
  }),
  redactionKeyPath: flag('ingest', 'redaction.keyFile', text, {
    default: '',
    meaning: 'File with the key of the hashes of -redaction.config, at least 16 bytes. Read again when it changes.',
    reason: 'Rules may be in a repository, the key must not.',
    example: '-redaction.keyFile=/etc/tracelith/redaction.key',
  }),
  concurrentInsertsMax: flag('ingest', 'maxConcurrentInserts', count('requests', { min: 1, max: 65_536 }), {
    default: `${32 * cores}`,
    shownDefault: '32 × CPU cores',
    meaning: 'OTLP requests served at once; further ones wait -insert.maxQueueDuration.',
    reason:
      'VictoriaTraces has 2 × CPU, for requests that only decode. Here one also waits for its group commit, which many share.',
    example: '-maxConcurrentInserts=128',
  }),
  insertQueueMaxMs: flag('ingest', 'insert.maxQueueDuration', duration({ min: '1ms', max: '1h' }), {
    default: '1m',
    meaning:
      'How long a request waits for one of -maxConcurrentInserts before it is told to come back (503, Retry-After).',
    reason: 'As in VictoriaTraces: exporters time out sooner, so it bounds only those that wait for ever.',
    example: '-insert.maxQueueDuration=10s',
  }),
  writeMaxMs: flag('ingest', 'insert.maxWriteDuration', duration({ min: '1ms', max: '1h' }), {
    default: '30s',
    meaning:
      'A request that is not on disk after this is told to come back (503, Retry-After); it may be stored all the same.',
    reason: 'Longer than exporters wait: it bounds only those that would wait for ever. A retry is stored once.',
    example: '-insert.maxWriteDuration=10s',
  }),
  otlpHttpListenAddr: flag('ingest', 'otlpHTTPListenAddr', optionalListenAddress, {
    default: '127.0.0.1:4318',
    meaning:
      'Where OTLP over HTTP alone is served, without -http.pathPrefix; -httpListenAddr takes it too. If another program has the default port, the node starts without it and says so.',
    reason: 'The port every SDK sends to by default; loopback, because there is no authentication on it.',
    example: '-otlpHTTPListenAddr=:4318',
  }),
  otlpGrpcListenAddr: flag('ingest', 'otlpGRPCListenAddr', optionalListenAddress, {
    default: '127.0.0.1:4317',
    meaning: 'Where OTLP over gRPC is served.',
    reason: 'The port every OTLP exporter tries first; loopback, because there is no authentication on it.',
    example: '-otlpGRPCListenAddr=:4317',
  }),
} as const;
