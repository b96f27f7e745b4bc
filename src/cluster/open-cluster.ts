// The ports of a process that stores nothing itself: all of them ask the storage nodes.
import { hostname } from 'node:os';
import { ClusterArchive } from './cluster-archive.ts';
import { ClusterReader, type ClusterReaderOptions } from './cluster-reader.ts';
import { ClusterWriter } from './cluster-writer.ts';
import { StorageNodes, type StorageNodesOptions } from './storage-nodes.ts';

export interface ClusterOptions
  extends StorageNodesOptions, Omit<ClusterReaderOptions, 'nodes' | 'answerBytesMax' | 'observePartial'> {
  /** -storageNode.writeTimeout */
  readonly writeTimeoutMs: number;
}

/** What a scrape of /metrics reads. */
export interface ClusterState {
  readonly nodes: readonly NodeState[];
  readonly rerouted: number;
  readonly possiblyTwice: number;
  readonly refused: number;
  readonly partialAnswers: number;
}

interface NodeState {
  readonly node: string;
  readonly addr: string;
  readonly isUp: boolean;
  readonly isReadOnly: boolean;
  readonly calls: number;
  readonly slices: number;
  readonly bytes: number;
  readonly repeated: number;
  readonly failed: number;
  readonly waitingBytes: number;
}

export interface Cluster {
  readonly writer: ClusterWriter;
  readonly reader: ClusterReader;
  readonly archive: ClusterArchive;
  /** At least one storage node answers. */
  readonly isReachable: () => boolean;
  /** As NodeDescription.behind. */
  readonly behind: () => readonly string[];
  readonly state: () => ClusterState;
  close(): void;
}

/** Resolves when every storage node that is listed now was asked once. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const nodes = await StorageNodes.open(options);
  const writer = new ClusterWriter({ nodes, timeoutMs: options.writeTimeoutMs });
  let partialAnswers = 0;
  const reader = new ClusterReader({ ...options, nodes, observePartial: () => partialAnswers++ });
  return {
    writer,
    reader,
    archive: new ClusterArchive({ ...options, nodes }),
    isReachable: () => nodes.isReachable,
    behind: () => nodes.behind,
    state: () => ({ nodes: nodeStates(nodes, writer), ...writer.counters, partialAnswers }),
    close: () => nodes.close(),
  };
}

function nodeStates(nodes: StorageNodes, writer: ClusterWriter): NodeState[] {
  const queues = new Map([...writer.queues].map((queue) => [queue.node, queue]));
  const idle = { calls: 0, slices: 0, bytes: 0, repeated: 0, failed: 0 };
  return nodes.all.map((node) => {
    const queue = queues.get(node);
    const { shownName, address: addr, isUp, isReadOnly } = node;
    const counters = queue?.counters ?? idle;
    return { node: shownName, addr, isUp, isReadOnly, ...counters, waitingBytes: queue?.waitingBytes ?? 0 };
  });
}

/** The name of a process without data, whose port tells it from others on the machine. */
export function hostName(port: number): string {
  return `${hostname().replace(/[^\w.-]/g, '-')}:${port}`;
}
