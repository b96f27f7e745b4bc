// Flags of the HTTP listener: who may ask, pages, keys.
import { flag, type Flag } from '../base/flag-row.ts';
import {
  boolean,
  duration,
  hostNames,
  listenAddress,
  optionalListenAddress,
  origins,
  text,
  urlPrefix,
} from '../base/flag-value.ts';

function authKey(name: string, meaning: string): Flag<string> {
  return flag('http', name, text, {
    default: '',
    meaning: `Key that ${meaning} must carry as \`authKey=…\`; empty asks for none.`,
    reason: 'The default listener is on loopback, where a key would protect nothing.',
    example: `-${name}=3f9c1e`,
    isSecret: true,
  });
}

export const httpFlags = {
  httpListenAddr: flag('http', 'httpListenAddr', listenAddress, {
    default: '127.0.0.1:10428',
    meaning:
      'Where OTLP over HTTP, the query API, /metrics and /health are served. With -storageNode, the port is 10481 on a node that only inserts, 10471 on one that only selects.',
    reason: "VictoriaTraces' port; loopback, because there is no authentication unless a proxy adds it.",
    example: '-httpListenAddr=:10428',
  }),
  adminListenAddr: flag('http', 'adminListenAddr', optionalListenAddress, {
    default: '',
    meaning:
      'Where everything of -httpListenAddr is served that is for operators (/metrics, /flags, /debug, /internal, /delete), beside all else, with the same certificate. -httpListenAddr then has none of these paths. Empty: it has them.',
    reason:
      'One address is enough on loopback; a network that users reach should not be able to ask for an operator’s path.',
    example: '-adminListenAddr=127.0.0.1:10429',
  }),
  httpPathPrefix: flag('http', 'http.pathPrefix', urlPrefix, {
    default: '',
    meaning: 'Put before every HTTP path, for a proxy that does not take its own prefix away.',
    reason: 'Most proxies do.',
    example: '-http.pathPrefix=/tracelith',
  }),
  corsOrigins: flag('http', 'http.corsOrigins', origins, {
    default: '',
    meaning: 'Origins whose pages may call the ingest and query APIs from a browser (CORS), with commas; `*` for all.',
    reason: 'A page from anywhere must not read the traces of whoever opens it.',
    example: '-http.corsOrigins=https://shop.example',
  }),
  allowedHosts: flag('http', 'http.allowedHosts', hostNames, {
    default: '',
    meaning:
      'Names that requests may ask for as their Host, beside addresses and localhost, with commas; `*` for any. Empty: any, but none on a loopback address.',
    reason: 'A page whose name is pointed at this machine must not read the traces of whoever opens it.',
    example: '-http.allowedHosts=traces.example',
  }),
  cspHeader: flag('http', 'http.header.csp', text, {
    default: '',
    meaning:
      'Content-Security-Policy of every answer, instead of the ones that forbid all but the UI’s own files, also in frames. Empty: those.',
    reason: 'A script that came in with a span must not run in the page that shows it.',
    example: "-http.header.csp=default-src 'self'; frame-ancestors https://grafana.example",
  }),
  hstsHeader: flag('http', 'http.header.hsts', text, {
    default: '',
    meaning: 'Strict-Transport-Security of every answer. Empty: none is sent.',
    reason: 'It binds every service of the host name, so it is the operator’s to choose.',
    example: '-http.header.hsts=max-age=31536000',
  }),
  isPurgeOn: flag('http', 'purge.enable', boolean, {
    default: 'false',
    meaning: 'Serve POST /internal/purge, which removes everything stored, of all tenants. For test suites alone.',
    reason: "Jaeger's integration suite asks for it between its tests; nobody else may find such a path.",
    example: '-purge.enable',
  }),
  isDeleteOn: flag('http', 'delete.enable', boolean, {
    default: 'false',
    meaning: 'Serve /delete/run_task, which deletes traces, or the spans that a query selects, of one tenant for good.',
    reason: 'As in VictoriaTraces: nobody deletes by accident what a node was not meant to delete.',
    example: '-delete.enable',
  }),
  jaegerUiDir: flag('http', 'jaegerui.dir', text, {
    default: '',
    meaning:
      'Serve Jaeger UI from this folder: an unpacked `assets.tar.gz` of a jaeger-ui release, or a build of it. Empty: none.',
    reason: 'The UI is another project’s, of many versions; the one that fits its users is theirs to choose.',
    example: '-jaegerui.dir=/usr/share/jaeger-ui',
  }),
  jaegerUiConfig: flag('http', 'jaegerui.config', text, {
    default: '',
    meaning:
      'A UI configuration as Jaeger takes it, `.json` or `.js`, read once at the start. Empty: the UI’s own defaults.',
    reason: 'The defaults show every page that this server answers.',
    example: '-jaegerui.config=/etc/jaeger-ui.json',
  }),
  shutdownDelayMs: flag('http', 'http.shutdownDelay', duration({ min: '0ms', max: '1h' }), {
    default: '0ms',
    meaning:
      'After SIGTERM, how long everything is still answered while `/ready` and `/health` are 503, so that load balancers send requests elsewhere. -shutdownTimeout begins after it.',
    reason: 'As in VictoriaTraces: without a load balancer it would only delay the stop.',
    example: '-http.shutdownDelay=5s',
  }),
  idleConnectionMaxMs: flag('http', 'http.idleConnTimeout', duration({ min: '1s', max: '1h' }), {
    default: '1m',
    meaning: 'A connection that has had no request for so long is closed.',
    reason: 'As in VictoriaTraces.',
    example: '-http.idleConnTimeout=5m',
  }),
  isKeepAliveOff: flag('http', 'http.disableKeepAlive', boolean, {
    default: 'false',
    meaning: 'Close each connection after its first answer.',
    reason: 'As in VictoriaTraces: for load balancers that spread connections, not requests.',
    example: '-http.disableKeepAlive',
  }),
  isCompressionOff: flag('http', 'http.disableResponseCompression', boolean, {
    default: 'false',
    meaning: 'Never compress answers, whatever the client accepts.',
    reason: 'As in VictoriaTraces: saves CPU where clients are near.',
    example: '-http.disableResponseCompression',
  }),
  shutdownMaxMs: flag('http', 'http.maxGracefulShutdownDuration', duration({ min: '0ms', max: '1h' }), {
    default: '7s',
    meaning:
      'After SIGTERM, how long requests under way, over HTTP and gRPC, may take to finish before their connections are closed.',
    reason: 'As in VictoriaTraces: leaves most of the ten seconds that container runtimes wait before they kill.',
    example: '-http.maxGracefulShutdownDuration=5s',
  }),
  forceFlushAuthKey: authKey('forceFlushAuthKey', 'POST /internal/force_flush'),
  forceMergeAuthKey: authKey('forceMergeAuthKey', 'POST /internal/force_merge'),
  partitionManageAuthKey: authKey('partitionManageAuthKey', 'POST /internal/partition/*'),
  archiveDeleteAuthKey: authKey('archiveDeleteAuthKey', 'DELETE /api/archive/*'),
  deleteAuthKey: authKey('deleteAuthKey', 'POST /delete/*'),
  metricsAuthKey: authKey('metricsAuthKey', 'GET /metrics'),
  flagsAuthKey: authKey('flagsAuthKey', 'GET /flags'),
  pprofAuthKey: authKey('pprofAuthKey', '/debug/*'),
} as const;
