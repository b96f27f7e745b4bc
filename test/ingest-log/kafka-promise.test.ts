// What the settings of a topic promise; test/kafka/kafka-log.test.ts reads those of real brokers.
import { expect, test } from 'vitest';
import { describeTopic, settingsOfNew } from '../../src/ingest-log/kafka-promise.ts';
import type { KafkaPartition } from '../../src/ingest-log/kafka-brokers.ts';

const partition = (replicas: number, inSync = replicas): KafkaPartition => ({
  leader: undefined,
  leaderEpoch: 1,
  replicas,
  inSync,
});
const GOOD = settingsOfNew(3, 60_000);
const described = (
  settings: Readonly<Record<string, string>>,
  partitions = [partition(3), partition(3)],
): ReturnType<typeof describeTopic> =>
  describeTopic('spans', partitions, new Map([...GOOD, ...Object.entries(settings)]));

test('a topic as it is made here promises all', () => {
  expect(described({})).toEqual({
    kind: 'kafka',
    replicas: 3,
    fsyncBeforeAck: true,
    retentionMs: 60_000,
    retentionBytes: Infinity,
    problems: [],
    tradeOffs: [],
  });
  expect(described({ 'retention.ms': '-1', 'retention.bytes': '5000' })).toMatchObject({
    retentionMs: Infinity,
    retentionBytes: 5_000,
  });
});

test.for([
  [{ 'flush.messages': '9223372036854775807' }, [/from the memory of 2 brokers.*all of them lose power/]],
  [{ 'min.insync.replicas': '1' }, [/that may be one \(min.insync.replicas is 1\): if its disk is lost/]],
] as const)('%j is accepted, and what it leaves open is said', ([settings, tradeOffs]) => {
  const { problems, tradeOffs: said } = described(settings);
  expect(problems).toEqual([]);
  expect(said).toEqual(tradeOffs.map((text) => expect.stringMatching(text)));
});

test.for([
  [{ 'flush.messages': '2', 'min.insync.replicas': '1' }, [3], /one broker has in memory; .*min.insync.replicas=2/],
  [{}, [3, 1], /1 replica of a partition; `kafka-reassign-partitions.sh`/],
  [{ 'unclean.leader.election.enable': 'true' }, [3], /may become leader; .*unclean.leader.election.enable=false/],
  [{ 'cleanup.policy': 'compact' }, [3], /equal keys are compacted; .*cleanup.policy=delete/],
  [{ 'cleanup.policy': 'compact,delete' }, [3], /equal keys are compacted/],
] as const)('%j with %j replicas is refused', ([settings, replicas, problem]) => {
  const { problems } = described(
    settings,
    replicas.map((count) => partition(count)),
  );
  expect(problems).toEqual([expect.stringMatching(problem)]);
});

test('with min.insync.replicas=1, a partition of which one replica is in sync is refused while it is so', () => {
  const alone = [partition(3), partition(3, 1)];
  expect(described({ 'min.insync.replicas': '1' }, alone).problems).toEqual([
    expect.stringMatching(/of partition 1 only one replica is in sync/),
  ]);
  // Otherwise Kafka itself takes no message then.
  expect(described({}, alone).problems).toEqual([]);
});

test('settings that the broker does not tell prove nothing', () => {
  const { problems, fsyncBeforeAck } = describeTopic('spans', [partition(3)], new Map());
  expect(fsyncBeforeAck).toBe(false);
  expect(problems).toHaveLength(3);
});

test('a single replica can be waited for alone', () => {
  expect(new Map(settingsOfNew(1, Infinity))).toEqual(
    new Map([...GOOD, ['min.insync.replicas', '1'], ['retention.ms', '-1']]),
  );
});
