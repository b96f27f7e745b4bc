// Flags of a cluster: what a process serves, and where the storage nodes are.
import { flag } from '../base/flag-row.ts';
import { boolean, duration, optionalListenAddress, text, type FlagKind } from '../base/flag-value.ts';
import { nodeSources } from '../base/node-sources.ts';
import { StoreError } from '../base/errors.ts';

/** Names appear in headers, metrics and messages. */
const nodeName: FlagKind<string> = {
  ...text,
  parse: (value) => {
    if (/^[\w.:-]{0,64}$/.test(value)) return value;
    throw new StoreError(
      'CONFIG',
      `expected up to 64 letters, digits, _ . : and -, got ${JSON.stringify(value.slice(0, 60))}`,
    );
  },
};

export const clusterFlags = {
  storageListenAddr: flag('cluster', 'storage.listenAddr', optionalListenAddress, {
    default: '',
    meaning:
      'Where this node serves the other roles of a cluster, over gRPC: the address that their -storageNode names. By convention port 10491.',
    reason: 'A single node needs none.',
    example: '-storage.listenAddr=:10491',
  }),
  storageNodes: flag('cluster', 'storageNode', nodeSources, {
    default: '',
    meaning:
      'The storage nodes, with commas: `host:port`, `file:///path` (one a line), `dns+srv:name`, `dns:name:port`; files and names are looked at again every 5 s. The process then stores nothing itself: it writes to and reads from them.',
    reason: 'As in VictoriaTraces, but their order means nothing: a node is known by its name.',
    example: '-storageNode=store-1:10491,store-2:10491',
    keepsFiles: true,
  }),
  nodeName: flag('cluster', 'storageNode.name', nodeName, {
    default: '',
    meaning:
      'The name of this node in a cluster. It decides which traces the node gets, so it stays when the node moves. Empty: the id in -storageDataPath, made at the first start.',
    reason: 'The id moves with the data, and needs no choice.',
    example: '-storageNode.name=store-1',
  }),
  nodeBearerToken: flag('cluster', 'storageNode.bearerToken', text, {
    default: '',
    meaning:
      'The token with which this node logs in to storage nodes that ask for one (their -auth.config): scopes ingest, query and admin, all tenants. Empty: none.',
    reason: 'A first cluster is tried on one machine, where nobody has to log in.',
    example: '-storageNode.bearerToken=tlt_Xk',
    isSecret: true,
  }),
  isNodeTlsOn: flag('cluster', 'storageNode.tls', boolean, {
    default: 'false',
    meaning: 'Reach the storage nodes over TLS (their -storage.tls).',
    reason: 'A first cluster is tried on one machine.',
    example: '-storageNode.tls',
  }),
  nodeTlsCaFile: flag('cluster', 'storageNode.tlsCAFile', text, {
    default: '',
    meaning:
      'Authorities of which a storage node must have a certificate, as PEM; read again when it changes. Empty: those that Node.js trusts.',
    reason: 'Nodes mostly have certificates of an authority of their own, which no program knows.',
    example: '-storageNode.tlsCAFile=/etc/tracelith/ca.crt',
  }),
  nodeTlsCertFile: flag('cluster', 'storageNode.tlsCertFile', text, {
    default: '',
    meaning:
      'Certificate that this node shows to storage nodes (their -storage.mtls), as PEM; read again when it changes.',
    reason: 'Asked for only where -storage.mtls is set.',
    example: '-storageNode.tlsCertFile=/etc/tracelith/insert.crt',
  }),
  nodeTlsKeyFile: flag('cluster', 'storageNode.tlsKeyFile', text, {
    default: '',
    meaning: 'Key of -storageNode.tlsCertFile, as PEM.',
    reason: 'As the certificate.',
    example: '-storageNode.tlsKeyFile=/etc/tracelith/insert.key',
  }),
  nodeTlsServerName: flag('cluster', 'storageNode.tlsServerName', text, {
    default: '',
    meaning: 'The name that a certificate of a storage node must have. Empty: the one in its address.',
    reason: 'Addresses of pods are in no certificate.',
    example: '-storageNode.tlsServerName=tracelith-storage',
  }),
  forgetNodeAfterMs: flag('cluster', 'storageNode.forgetAfter', duration({ min: '0s', max: '100y' }), {
    default: '1h',
    meaning:
      'How long a node that DNS lists no more is waited for: until then answers without it say so. One removed from the list or a file is forgotten at once.',
    reason: 'Longer than any restart: a node that is missing from DNS is nearly always a node that restarts.',
    example: '-storageNode.forgetAfter=10m',
  }),
  nodeWriteMaxMs: flag('cluster', 'storageNode.writeTimeout', duration({ min: '10ms', max: '1h' }), {
    default: '3s',
    meaning:
      'How long one call with spans to a storage node may take. Then it is made once more, and then the next node gets the spans.',
    reason: 'Exporters give up after 10 s: two calls to one node and one to the next fit.',
    example: '-storageNode.writeTimeout=1s',
  }),
  isInsertOff: flag('cluster', 'insert.disable', boolean, {
    default: 'false',
    meaning: 'Serve no OTLP, except on -storage.listenAddr.',
    reason: 'A single node serves all.',
    example: '-insert.disable',
  }),
  isSelectOff: flag('cluster', 'select.disable', boolean, {
    default: 'false',
    meaning: 'Serve no query API and no UI, except on -storage.listenAddr.',
    reason: 'A single node serves all.',
    example: '-select.disable',
  }),
  allowsPartial: flag('cluster', 'search.allowPartialResponse', boolean, {
    default: 'false',
    meaning:
      'Answer without storage nodes that cannot be reached, and say so (`x-tracelith-partial`, warnings); a request may ask for it with allow_partial_response=1. Otherwise it fails (503).',
    reason: 'As in VictoriaTraces: a short answer must not be taken for a whole one.',
    example: '-search.allowPartialResponse',
  }),
} as const;
