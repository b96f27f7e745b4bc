// The nodes of a cluster: those of -storageNode, resolved again every few seconds, known by their names. A node that DNS lists no
// more is still waited for, because a name that disappears is a node that restarts, and an answer without it must say so; it is
// forgotten after a while, or when its name appears at another address. One taken from the list or file is forgotten at once.
import type { Logger } from '../base/logger.ts';
import type { NodeSource } from '../base/node-sources.ts';
import type { DiskReads } from '../disk/disk.ts';
import type { NodeTls } from './node-tls.ts';
import { Placement } from './placement.ts';
import { resolveSources, type ResolvedSource } from './resolve-nodes.ts';
import { StorageNode } from './storage-node.ts';

const RESOLVE_INTERVAL_MS = 5_000;

export interface StorageNodesOptions {
  readonly sources: readonly NodeSource[];
  readonly disk: DiskReads;
  readonly logger: Logger;
  /** -storageNode.forgetAfter */
  readonly forgetAfterMs: number;
  readonly answerBytesMax?: number;
  readonly resolveIntervalMs?: number;
  readonly probeTimeoutMs?: number;
  /** -storageNode.bearerToken */
  readonly token?: string;
  /** -storageNode.tls; undefined: without. */
  readonly tls?: NodeTls | undefined;
}

interface Listed {
  readonly node: StorageNode;
  isFromDns: boolean;
  /** Since when no source lists it; undefined: one does. */
  goneSinceMs: number | undefined;
}

export class StorageNodes {
  readonly #options: StorageNodesOptions;
  readonly #listed = new Map<string, Listed>();
  /** What each source gave when it could be resolved last. */
  readonly #resolved = new Map<NodeSource, ResolvedSource['entries']>();
  readonly #failing = new Set<NodeSource>();
  readonly #timer: NodeJS.Timeout;
  #placement = new Placement([]);
  #byIndex: StorageNode[] = [];
  #members: StorageNode[] = [];
  /** Names that were reported as those of two nodes. */
  readonly #doubles = new Set<string>();
  #isClosed = false;

  private constructor(options: StorageNodesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#resolve(), options.resolveIntervalMs ?? RESOLVE_INTERVAL_MS);
  }

  /** Resolves when every node that is listed now was asked once. */
  static async open(options: StorageNodesOptions): Promise<StorageNodes> {
    const nodes = new StorageNodes(options);
    await nodes.#resolve();
    await Promise.all(nodes.#members.map((node) => node.probe()));
    return nodes;
  }

  /** Every node that may hold spans, each name once. */
  get all(): readonly StorageNode[] {
    return this.#members;
  }

  get isReachable(): boolean {
    return this.#members.some(({ isUp }) => isUp);
  }

  /** The ranking over all nodes whose names are known; an index is one of nodeAt. */
  get placement(): Placement {
    return this.#placement;
  }

  nodeAt(index: number): StorageNode {
    return this.#byIndex[index]!;
  }

  async #resolve(): Promise<void> {
    const { sources, disk, logger } = this.#options;
    for (const { source, entries } of await resolveSources(sources, disk)) {
      if (entries instanceof Error) {
        if (!this.#failing.has(source)) logger.warn('storage nodes cannot be looked up', { source, error: entries });
        this.#failing.add(source);
        continue;
      }
      this.#failing.delete(source);
      this.#resolved.set(source, entries);
    }
    if (!this.#isClosed) this.#list();
  }

  #list(): void {
    const now = new Map<string, boolean>();
    for (const entries of this.#resolved.values()) {
      if (entries instanceof Error) continue;
      for (const { addresses, isFromDns } of entries)
        for (const address of addresses) now.set(address, isFromDns && now.get(address) !== false);
    }
    for (const [address, isFromDns] of now) {
      const known = this.#listed.get(address);
      if (known === undefined) this.#add(address, isFromDns);
      else [known.isFromDns, known.goneSinceMs] = [isFromDns, undefined];
    }
    for (const [address, listed] of this.#listed) if (!now.has(address)) this.#miss(address, listed);
    this.#arrange();
  }

  #add(address: string, isFromDns: boolean): void {
    const { answerBytesMax, probeTimeoutMs, token, tls } = this.#options;
    const node = new StorageNode({
      address,
      onChange: (changed) => this.#onChange(changed),
      ...(answerBytesMax === undefined ? {} : { answerBytesMax }),
      ...(probeTimeoutMs === undefined ? {} : { probeTimeoutMs }),
      token,
      tls,
    });
    this.#listed.set(address, { node, isFromDns, goneSinceMs: undefined });
    void node.probe();
  }

  #miss(address: string, listed: Listed): void {
    const nowMs = performance.now();
    listed.goneSinceMs ??= nowMs;
    const isWaitedFor = listed.isFromDns && listed.node.name !== undefined;
    if (isWaitedFor && nowMs - listed.goneSinceMs < this.#options.forgetAfterMs) return;
    this.#options.logger.info('a storage node is forgotten', { node: listed.node.shownName, address });
    listed.node.close();
    this.#listed.delete(address);
  }

  #onChange(node: StorageNode): void {
    const { logger } = this.#options;
    const { shownName, address, reason } = node;
    if (node.isUp) logger.info('a storage node is up', { node: shownName, address });
    else logger.warn('a storage node is down', { node: shownName, address, reason });
    for (const [other, listed] of this.#listed) {
      if (listed.node === node || listed.node.name !== node.name || node.name === undefined) continue;
      if (listed.goneSinceMs === undefined) continue;
      // It is at a new address.
      listed.node.close();
      this.#listed.delete(other);
    }
    this.#arrange();
  }

  /**
   * Of several addresses with one name: one that is up, because the node has moved there. Two that are up are one node with two
   * addresses, or two nodes of one name: then both are read, and the first gets the spans.
   */
  #arrange(): void {
    const byName = new Map<string, StorageNode[]>();
    const unnamed: StorageNode[] = [];
    for (const { node } of this.#listed.values()) {
      if (node.name === undefined) unnamed.push(node);
      else byName.set(node.name, [...(byName.get(node.name) ?? []), node]);
    }
    const named = [...byName].map(([name, nodes]): [string, readonly StorageNode[]] => [
      name,
      this.#choose(name, nodes),
    ]);
    this.#members = [...named.flatMap(([, nodes]) => nodes), ...unnamed];
    this.#placement = new Placement(byName.keys());
    const first = new Map(named.map(([name, [node]]) => [name, node!]));
    this.#byIndex = this.#placement.names.map((name) => first.get(name)!);
  }

  #choose(name: string, nodes: readonly StorageNode[]): readonly StorageNode[] {
    const up = nodes.filter(({ isUp }) => isUp);
    if (up.length === 0) return nodes.slice(0, 1);
    const instances = [...new Map(up.map((node) => [node.instance ?? node.address, node])).values()];
    if (instances.length > 1 && !this.#doubles.has(name)) {
      const addresses = instances.map(({ address }) => address);
      this.#options.logger.error('two storage nodes have one name; set -storageNode.name', { node: name, addresses });
      this.#doubles.add(name);
    }
    return instances;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const { node } of this.#listed.values()) node.close();
  }
}
