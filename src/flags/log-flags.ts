// Flags of a cluster with a log between insert and storage nodes.
import { StoreError } from '../base/errors.ts';
import { flag } from '../base/flag-row.ts';
import { boolean, choice, count, duration, text, type FlagKind } from '../base/flag-value.ts';
import { logAddress, monitorAddresses } from '../base/log-address.ts';
import { httpUrls } from './push-flags.ts';

const word: FlagKind<string> = {
  ...text,
  parse: (value) => {
    if (/^[\w-]{0,64}$/.test(value)) return value;
    throw new StoreError(
      'CONFIG',
      `expected up to 64 letters, digits, _ and -, got ${JSON.stringify(value.slice(0, 60))}`,
    );
  },
};

/** Empty: undefined. */
const optionalOrdinal: FlagKind<number | undefined> = {
  unit: 'number',
  parse: (value) => (value === '' ? undefined : count('number', { min: 0, max: 1_023 }).parse(value)),
};

/** Empty: undefined. */
const optionalUrl: FlagKind<string | undefined> = {
  unit: 'URL',
  parse: (value) => {
    const [url, ...more] = httpUrls.parse(value);
    if (more.length === 0) return url;
    throw new StoreError('CONFIG', `expected one URL, got ${JSON.stringify(value.slice(0, 60))}`);
  },
};

export const logFlags = {
  ingestLog: flag('log', 'ingestLog', logAddress, {
    default: '',
    meaning:
      'The log between insert and storage nodes: NATS JetStream at `nats://host:port,host:port` (`tls://` over TLS), or a topic of Kafka at `kafka://host:port,host:port/topic` (`kafka+tls://` over TLS). An insert node acknowledges when the log has; a storage node with -ingestLog.nodes reads its spans from there; a select node sees to it that every acknowledged span is in its answers.',
    reason: 'One node, a pair and a split need no further program.',
    example: '-ingestLog=nats://nats-0:4222,nats-1:4222,nats-2:4222',
  }),
  logMonitors: flag('log', 'ingestLog.monitor', monitorAddresses, {
    default: '',
    meaning:
      'The monitoring addresses of all servers of NATS, with commas: there each one must prove that it syncs before it acknowledges, at the start and every minute.',
    reason:
      'NATS tells it nowhere else; by default it syncs every two minutes, and a power cut loses what was acknowledged since.',
    example: '-ingestLog.monitor=http://nats-0:8222,http://nats-1:8222,http://nats-2:8222',
  }),
  isLogTrusted: flag('log', 'ingestLog.trust', boolean, {
    default: 'false',
    meaning:
      'Acknowledge spans although the log does not prove that none is lost with one of its servers. Otherwise an insert node does not start, or takes no spans.',
    reason: 'A promise that nothing proves is none.',
    example: '-ingestLog.trust',
  }),
  logPartitions: flag('log', 'ingestLog.partitions', count('partitions', { min: 1, max: 1_024 }), {
    default: '16',
    meaning:
      'Parts of the log, each with its own order; a trace is in one of them. The same on every node, and never changed, and as many as the topic of Kafka has: more storage nodes in a zone than this have nothing to read.',
    reason: 'Enough for 16 storage nodes in a zone; each costs the servers of the log some memory and a little work.',
    example: '-ingestLog.partitions=32',
  }),
  logStream: flag('log', 'ingestLog.stream', word, {
    default: 'tracelith',
    meaning:
      'The first part of the names of the streams of NATS, one for each partition: tracelith-0 and so on. The same on every node.',
    reason: 'Several clusters may share the servers of one log.',
    example: '-ingestLog.stream=shop',
  }),
  logReplicas: flag('log', 'ingestLog.replicas', count('replicas', { min: 1, max: 5 }), {
    default: '3',
    meaning: 'Copies of each message, of streams or a topic that an insert node makes because they are not there.',
    reason: 'With two, the log takes no spans while one server is away.',
    example: '-ingestLog.replicas=5',
  }),
  logRetentionMs: flag('log', 'ingestLog.retention', duration({ min: '2m', max: '10y' }), {
    default: '1d',
    meaning:
      'How long the log keeps messages, of streams or a topic that an insert node makes. A storage node that is away for longer lacks what the log has dropped, until it is copied from its twin.',
    reason: 'Longer than the repair of a machine.',
    example: '-ingestLog.retention=3d',
  }),
  logWriteMaxMs: flag('log', 'ingestLog.writeTimeout', duration({ min: '100ms', max: '1m' }), {
    default: '9s',
    meaning:
      'How long a request waits for the acknowledgement of the log; then it gets 503, and its sender repeats it.',
    reason: 'Exporters give up after 10 s, and an election of a new leader takes up to 7 s.',
    example: '-ingestLog.writeTimeout=5s',
  }),
  logUser: flag('log', 'ingestLog.username', text, {
    default: '',
    meaning: 'Logs in to the log, with -ingestLog.password. Empty: nobody logs in.',
    reason: 'As the servers of the log are set.',
    example: '-ingestLog.username=tracelith',
  }),
  logPassword: flag('log', 'ingestLog.password', text, {
    default: '',
    meaning: 'The password of -ingestLog.username; alone it is a token of NATS.',
    reason: 'As the servers of the log are set.',
    example: '-ingestLog.password=hunter2',
    isSecret: true,
  }),
  logSaslMechanism: flag('log', 'ingestLog.saslMechanism', choice(['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN']), {
    default: 'SCRAM-SHA-512',
    meaning: 'How -ingestLog.username logs in to Kafka. PLAIN sends the password as it is: over TLS only.',
    reason: 'The strongest that Kafka has of its own; NATS knows no other.',
    example: '-ingestLog.saslMechanism=PLAIN',
  }),
  logTlsCaFile: flag('log', 'ingestLog.tlsCAFile', text, {
    default: '',
    meaning:
      'Authorities of which the servers of the log must have a certificate, as PEM. Empty: those that Node.js trusts.',
    reason: 'Servers of a log mostly have certificates of an authority of their own.',
    example: '-ingestLog.tlsCAFile=/etc/tracelith/ca.crt',
  }),
  logNodes: flag('log', 'ingestLog.nodes', count('storage nodes', { min: 0, max: 1_024 }), {
    default: '0',
    meaning:
      'Makes this process a storage node of the log, one of so many in its zone: it reads the partitions p with p mod nodes = -ingestLog.ordinal, and takes spans from nowhere else. 0: it reads none.',
    reason: 'Insert and select nodes read none.',
    example: '-ingestLog.nodes=2',
  }),
  logOrdinal: flag('log', 'ingestLog.ordinal', optionalOrdinal, {
    default: '',
    meaning:
      'Which of -ingestLog.nodes this one is, from 0. Empty: the number at the end of the host name, as in a StatefulSet.',
    reason: 'A StatefulSet gives each pod its number, and no other way to tell it.',
    example: '-ingestLog.ordinal=0',
  }),
  logEncoding: flag('log', 'ingestLog.encoding', choice(['otlp_proto', 'otlp_json', 'jaeger_proto']), {
    default: 'otlp_proto',
    meaning:
      "What other programs than insert nodes write into the log that a storage node reads, in the words of the Collector's kafka exporter: OTLP requests as protobuf or JSON, or single spans of Jaeger's model. Messages of insert nodes are read with each.",
    reason: 'What a Collector, and Jaeger 2, write into Kafka when nothing is said.',
    example: '-ingestLog.encoding=jaeger_proto',
  }),
  logSyncFrom: flag('log', 'ingestLog.syncFrom', httpUrls, {
    default: '',
    meaning:
      'Storage nodes of another zone, with commas, from which this one copies by itself what the log had dropped before it read it, as `tracelith sync` does: the twin, or all nodes of a zone of another size. It logs in with -storageNode.bearerToken and -partitionManageAuthKey. Empty: an operator copies it.',
    reason: 'Where the other nodes serve HTTP only the operator knows.',
    example: '-ingestLog.syncFrom=http://b-0:10428',
    isSecret: true,
  }),
  logSyncTo: flag('log', 'ingestLog.syncTo', optionalUrl, {
    default: '',
    meaning:
      'The URL at which this node reaches itself for -ingestLog.syncFrom. Empty: -adminListenAddr if it is set, otherwise -httpListenAddr; over TLS (-tls) the host must be a name in the certificate.',
    reason: 'Without TLS the node knows it.',
    example: '-ingestLog.syncTo=https://a-0.example:10428',
    isSecret: true,
  }),
  logZone: flag('log', 'ingestLog.zone', word, {
    default: '',
    meaning:
      'The zone of this node. The storage nodes of each zone hold the whole log together. A select node asks those of its own zone first; without one, all zones in turns.',
    reason: 'Which machines fail together only the operator knows.',
    example: '-ingestLog.zone=a',
  }),
  logHedgeMs: flag('log', 'ingestLog.hedgeAfter', duration({ min: '1ms', max: '1m' }), {
    default: '300ms',
    meaning:
      'A select node that waits so long for a storage node asks the one of another zone as well; the first whole answer counts.',
    reason: 'Longer than most answers take, shorter than what a person calls slow.',
    example: '-ingestLog.hedgeAfter=1s',
  }),
  logReadWaitMs: flag('log', 'ingestLog.readWait', duration({ min: '0s', max: '1m' }), {
    default: '3s',
    meaning:
      'How long a storage node that is asked waits until it has stored all that the log had acknowledged; then it answers with what it has, and says so.',
    reason: 'A node that keeps up is behind for milliseconds only; when a server of the log goes away, for up to 2 s.',
    example: '-ingestLog.readWait=1s',
  }),
} as const;
