// What the settings of a Kafka topic promise of its messages. Pure. Kafka has two ways to keep a message: copies that must exist before
// it is acknowledged (min.insync.replicas), and an fsync of each (flush.messages). Either is taken, and what it leaves open is said;
// with both, nothing is.
import type { LogDescription } from './ingest-log.ts';
import type { KafkaPartition } from './kafka-brokers.ts';

/** Names of settings, as the brokers say what holds for the topic. */
export type TopicSettings = ReadonlyMap<string, string | null | undefined>;

/** Those that describeTopic reads. */
export const SETTINGS_READ = [
  'cleanup.policy',
  'flush.messages',
  'max.message.bytes',
  'min.insync.replicas',
  'retention.bytes',
  'retention.ms',
  'unclean.leader.election.enable',
] as const;

/** Of a topic that is made here: both ways, and refused rather than dropped is not to be had, so retention by time alone. */
export function settingsOfNew(replicas: number, retentionMs: number): [string, string][] {
  return [
    ['cleanup.policy', 'delete'],
    ['flush.messages', '1'],
    // One replica less than there are may be away; a single replica has no other.
    ['min.insync.replicas', String(Math.min(2, replicas))],
    ['message.timestamp.type', 'LogAppendTime'],
    ['retention.bytes', '-1'],
    ['retention.ms', Number.isFinite(retentionMs) ? String(retentionMs) : '-1'],
    ['unclean.leader.election.enable', 'false'],
  ];
}

export function describeTopic(
  topic: string,
  partitions: readonly KafkaPartition[],
  settings: TopicSettings,
): LogDescription {
  const number = (name: (typeof SETTINGS_READ)[number]): number => Number(settings.get(name) ?? NaN);
  const limit = (name: (typeof SETTINGS_READ)[number]): number => (number(name) >= 0 ? number(name) : Infinity);
  const replicas = Math.min(...partitions.map((partition) => partition.replicas));
  const isFlushed = number('flush.messages') === 1;
  const inSyncMin = number('min.insync.replicas');
  const alter = (setting: string): string =>
    `\`kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${setting}\``;
  const problems: string[] = [];
  if (replicas < 2)
    problems.push(`topic ${topic}: ${replicas} replica of a partition; \`kafka-reassign-partitions.sh\` adds others`);
  if (!isFlushed && !(inSyncMin >= 2))
    problems.push(
      `topic ${topic}: a message is acknowledged that one broker has in memory; ${alter('min.insync.replicas=2')}`,
    );
  if (isFlushed && !(inSyncMin >= 2)) problems.push(...aloneProblems(topic, partitions));
  if (settings.get('unclean.leader.election.enable') !== 'false')
    problems.push(
      `topic ${topic}: a broker that lacks messages may become leader; ${alter('unclean.leader.election.enable=false')}`,
    );
  if (settings.get('cleanup.policy') !== 'delete')
    problems.push(`topic ${topic}: messages with equal keys are compacted; ${alter('cleanup.policy=delete')}`);
  return {
    kind: 'kafka',
    replicas,
    fsyncBeforeAck: isFlushed,
    retentionMs: limit('retention.ms'),
    retentionBytes: limit('retention.bytes'),
    problems,
    tradeOffs: tradeOffsOf(topic, { isFlushed, inSyncMin }),
  };
}

/** With min.insync.replicas=1 a message is where the leader is, and perhaps nowhere else. */
function aloneProblems(topic: string, partitions: readonly KafkaPartition[]): string[] {
  const alone = partitions.flatMap(({ inSync }, partition) => (inSync < 2 ? [partition] : []));
  if (alone.length === 0) return [];
  return [`topic ${topic}: of partition ${alone.join(', ')} only one replica is in sync; start the other brokers`];
}

function tradeOffsOf(topic: string, { isFlushed, inSyncMin }: { isFlushed: boolean; inSyncMin: number }): string[] {
  if (!isFlushed)
    return [
      `topic ${topic}: a message is acknowledged from the memory of ${inSyncMin} brokers (flush.messages is not 1): if all of them lose power at once, the spans of the last seconds are lost`,
    ];
  if (inSyncMin >= 2) return [];
  return [
    `topic ${topic}: a message is acknowledged by the brokers that are in sync, and for up to a minute that may be one (min.insync.replicas is 1): if its disk is lost then, so are these spans`,
  ];
}
