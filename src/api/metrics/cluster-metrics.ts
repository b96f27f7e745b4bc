// What an insert or select node knows of its storage nodes, read from one ClusterState a scrape.
import type { ClusterState } from '../../cluster/open-cluster.ts';
import type { MetricSource, Sample } from './metric-registry.ts';

type NodeFigure = Exclude<keyof ClusterState['nodes'][number], 'node' | 'addr' | 'isUp' | 'isReadOnly'>;

/** Registers the figures of the cluster. */
export function createClusterMetrics(cluster: MetricSource<ClusterState>): void {
  const labels = ['node', 'addr'];
  const ofNodes =
    (value: (node: ClusterState['nodes'][number]) => number) =>
    ({ nodes }: ClusterState): Sample[] =>
      nodes.map((one) => ({ labels: { node: one.node, addr: one.addr }, value: value(one) }));
  const count = (name: string, unit: string, help: string, figure: NodeFigure): void =>
    cluster.counter(
      { name, unit, help, labels },
      ofNodes((node) => node[figure]),
    );
  const up = { name: 'vt_insert_remote_is_reachable', unit: '1', help: 'The storage node answers', labels };
  cluster.gauge(
    up,
    ofNodes(({ isUp }) => Number(isUp)),
  );
  const full = {
    name: 'tracelith_cluster_node_is_read_only',
    unit: '1',
    help: 'The storage node takes no spans',
    labels,
  };
  cluster.gauge(
    full,
    ofNodes(({ isReadOnly }) => Number(isReadOnly)),
  );
  count('tracelith_cluster_calls_total', 'calls', 'Calls with spans to a storage node', 'calls');
  count('tracelith_cluster_slices_total', 'slices', 'Slices of requests that a storage node has stored', 'slices');
  count('tracelith_cluster_sent_bytes_total', 'bytes', 'OTLP bytes of these slices', 'bytes');
  count('tracelith_cluster_calls_repeated_total', 'calls', 'Calls made again because no answer came', 'repeated');
  count('vt_insert_remote_send_errors_total', 'calls', 'Calls with spans that a storage node did not take', 'failed');
  const waiting = 'OTLP bytes that wait for a storage node';
  cluster.gauge(
    { name: 'tracelith_cluster_waiting_bytes', unit: 'bytes', help: waiting, labels },
    ofNodes((node) => node.waitingBytes),
  );
  const sum = (name: string, unit: string, help: string, read: (state: ClusterState) => number): void =>
    cluster.counter({ name, unit, help }, read);
  const rerouted = 'Slices that were taken to the next node of their ranking';
  sum('tracelith_cluster_slices_rerouted_total', 'slices', rerouted, (s) => s.rerouted);
  const twice = 'Of these: slices that the node which did not answer may have stored; they are shown once';
  sum('tracelith_cluster_slices_possibly_twice_total', 'slices', twice, (s) => s.possiblyTwice);
  const refused = 'Slices that no storage node took; their requests got 503';
  sum('tracelith_cluster_slices_refused_total', 'slices', refused, (s) => s.refused);
  const partial = 'Questions answered without some storage nodes';
  sum('tracelith_cluster_partial_answers_total', 'answers', partial, (s) => s.partialAnswers);
}
