// Flags of queries and of the listeners that only answer them.
import { availableParallelism } from 'node:os';
import { flag } from '../base/flag-row.ts';
import { boolean, bytes, count, duration, optionalListenAddress } from '../base/flag-value.ts';
import { limits } from '../base/limits.ts';

const cores = availableParallelism();

export const searchFlags = {
  grpcListenAddr: flag('search', 'grpc.listenAddr', optionalListenAddress, {
    default: '127.0.0.1:17271',
    meaning: "Where Jaeger's gRPC APIs are served: remote storage, api_v3 and api_v2 queries; and OTLP beside them.",
    reason: "The port of Jaeger's own remote storage; loopback, because there is no authentication on it.",
    example: '-grpc.listenAddr=:17271',
  }),
  grpcCallMaxMs: flag('search', 'grpc.maxCallDuration', duration({ min: '1ms', max: '24h' }), {
    default: '5m',
    meaning: 'A gRPC call that takes longer is ended (DEADLINE_EXCEEDED), whatever deadline its client has.',
    reason: 'Jaeger sets none of its own. Long enough to send the largest answer to a slow client.',
    example: '-grpc.maxCallDuration=1m',
  }),
  concurrentSearchesMax: flag('search', 'search.maxConcurrentRequests', count('requests', { min: 1, max: 1_024 }), {
    default: `${cores <= 4 ? 2 * cores : Math.min(cores, 16)}`,
    shownDefault: '2 × CPU cores up to 4 cores, else CPU cores, at most 16',
    meaning: 'Queries that run at once; further ones wait.',
    reason: 'As in VictoriaTraces: a query keeps a core busy, so more at once only makes all of them slower.',
    example: '-search.maxConcurrentRequests=8',
  }),
  searchMaxMs: flag('search', 'search.maxQueryDuration', duration({ min: '1ms', max: '1h' }), {
    default: '30s',
    meaning: 'A query that takes longer is ended (503).',
    reason: 'As in VictoriaTraces: beyond it the person who asked has gone.',
    example: '-search.maxQueryDuration=1m',
  }),
  searchQueueMaxMs: flag('search', 'search.maxQueueDuration', duration({ min: '1ms', max: '1h' }), {
    default: '10s',
    meaning: 'How long a query waits for one of -search.maxConcurrentRequests before it is told to come back (503).',
    reason: 'As in VictoriaTraces.',
    example: '-search.maxQueueDuration=3s',
  }),
  searchBytesMax: flag('search', 'search.maxScannedBytes', bytes({ min: '1MiB', max: '1024TiB' }), {
    default: '8GiB',
    meaning: 'Stored bytes one query may look at; one that needs more is ended (503).',
    reason: 'A query thread looks through some 300 MB/s at best: what needs more would not end in time.',
    example: '-search.maxScannedBytes=1GiB',
  }),
  slowQueryMs: flag('search', 'search.logSlowQueryDuration', duration({ min: '0ms', max: '1h' }), {
    default: '5s',
    meaning: 'Queries that run longer are logged with their question, never with values of tags; 0 logs none.',
    reason: 'As in VictoriaTraces.',
    example: '-search.logSlowQueryDuration=500ms',
  }),
  searchTracesMax: flag('search', 'search.maxTraces', count('traces', { min: 1, max: limits.searchTracesMax }), {
    default: '2500',
    meaning: 'Traces a search gives at most; a higher `limit` is taken as this one, and the answer says so.',
    reason: 'What the stock clients ask: Jaeger UI up to 1,500, Kiali 2,500. Every trace is read and sent whole.',
    example: '-search.maxTraces=200',
  }),
  hasTagExpressions: flag('search', 'search.tagExpressions', boolean, {
    default: 'false',
    meaning:
      'In tags, a value `~re` is a regular expression (RE2), and a key `k!` negates the condition: `k=~re`, `k!=v`.',
    reason: 'Off, because Jaeger takes both literally.',
    example: '-search.tagExpressions',
  }),
  queryWorkers: flag('search', 'queryWorkers', count('threads', { min: 1, max: 64 }), {
    default: '1',
    meaning: 'Threads that decode blocks for queries.',
    reason: 'One answers within the goals on two cores; set it near the number of cores where queries matter most.',
    example: '-queryWorkers=4',
  }),
  isMonitorOff: flag('search', 'monitor.disable', boolean, {
    default: 'false',
    meaning: 'Refuse the endpoints of Jaeger UI’s Monitor tab (501), so that the tab says there are no metrics.',
    reason: 'On, because it costs nothing until somebody looks.',
    example: '-monitor.disable',
  }),
} as const;
