// The nodes of a cluster: those of -storageNode, resolved again every few seconds, known by their names. A node that DNS lists no
// more is still waited for, because a name that disappears is a node that restarts, and an answer without it must say so; it is
// forgotten after a while, or when its name appears at another address. One taken from the list or file is forgotten at once.
import { assert } from '../base/assert.ts';
import type { Logger } from '../base/logger.ts';
import type { NodeSource } from '../base/node-sources.ts';
import type { DiskReads } from '../disk/disk.ts';
import type { NodeTls } from './node-tls.ts';
import { Placement } from './placement.ts';
import { resolveSources, type ResolvedSource } from './resolve-nodes.ts';
import { StorageNode } from './storage-node.ts';

const RESOLVE_INTERVAL_MS = 5_000;
/** Two processes of one name that answer for longer than this are two nodes; before, one of them is ending. */
const SUCCESSION_MS = 5_000;
/** Instances that a circle of lists could otherwise pile up. */
const BEHIND_MAX = 1_000;

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
  /** Of this process (NodeDescription.instance). */
  readonly instance?: string;
}

interface Listed {
  readonly node: StorageNode;
  isFromDns: boolean;
  /** Since when no source lists it; undefined: one does. */
  goneSinceMs: number | undefined;
}

/** Nodes of one name; of them those that are up; of these one for each process. */
interface SameName {
  readonly nodes: readonly StorageNode[];
  readonly up: readonly StorageNode[];
  readonly instances: readonly StorageNode[];
}

/** Several processes with one name. */
interface Doubles {
  readonly sinceMs: number;
  /** Of all that were up at once. */
  readonly addresses: Set<string>;
  /** It was said in the log. */
  isReported: boolean;
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
  /** By name, what answers to it at several addresses at once. */
  readonly #doubles = new Map<string, Doubles>();
  #resolving: Promise<void> | undefined;
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
    const node = this.#byIndex[index];
    assert(node !== undefined, `node ${index} of ${this.#byIndex.length}`);
    return node;
  }

  /** As NodeDescription.behind. */
  get behind(): readonly string[] {
    const { instance } = this.#options;
    const found = new Set(instance === undefined ? [] : [instance]);
    for (const { node } of this.#listed.values()) for (const each of node.behind) found.add(each);
    return [...found].slice(0, BEHIND_MAX);
  }

  /** One lookup at a time: those of a name server that hangs would pile up, and overtake each other. */
  #resolve(): Promise<void> {
    this.#resolving ??= this.#lookUp().finally(() => (this.#resolving = undefined));
    return this.#resolving;
  }

  async #lookUp(): Promise<void> {
    const { sources, disk, logger } = this.#options;
    for (const { source, entries } of await resolveSources(sources, disk)) {
      if (entries instanceof Error) {
        if (!this.#failing.has(source)) logger.warn('storage nodes cannot be looked up', { source, error: entries });
        this.#failing.add(source);
        continue;
      }
      if (this.#failing.delete(source)) logger.info('storage nodes are looked up again', { source });
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
    const { answerBytesMax, probeTimeoutMs, token, tls, instance } = this.#options;
    const node = new StorageNode({
      address,
      onChange: (changed) => this.#onChange(changed),
      ...(answerBytesMax === undefined ? {} : { answerBytesMax }),
      ...(probeTimeoutMs === undefined ? {} : { probeTimeoutMs }),
      token,
      tls,
      ownInstance: instance,
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
    listed.node.retire();
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
      // It stores nothing, and whom it asks is asked anyway.
      if (node.isSelf) continue;
      if (node.name === undefined) unnamed.push(node);
      else byName.set(node.name, [...(byName.get(node.name) ?? []), node]);
    }
    const named = [...byName].map(([name, nodes]): [string, readonly StorageNode[]] => [
      name,
      this.#choose(name, nodes),
    ]);
    for (const name of this.#doubles.keys()) if (!byName.has(name)) this.#doubles.delete(name);
    this.#members = [...named.flatMap(([, nodes]) => nodes), ...unnamed];
    this.#placement = new Placement(byName.keys());
    const first = new Map(named.map(([name, [node]]) => [name, node]));
    this.#byIndex = this.#placement.names.map((name) => {
      const node = first.get(name);
      assert(node !== undefined && this.#listed.get(node.address)?.node === node, `${name} is placed and not listed`);
      return node;
    });
    assert(new Set(this.#members).size === this.#members.length, 'a node is asked twice');
  }

  /** At least one of them, the one that gets spans first. */
  #choose(name: string, nodes: readonly StorageNode[]): readonly StorageNode[] {
    const up = nodes.filter(({ isUp }) => isUp);
    const instances = [...new Map(up.map((node) => [node.instance ?? node.address, node])).values()];
    const doubles = this.#doublesOf(name, { nodes, up, instances });
    // What such a node stores is nobody else's: without it an answer is not whole.
    const away = nodes.filter((node) => !node.isUp && doubles?.addresses.has(node.address) === true);
    return up.length === 0 && away.length === 0 ? nodes.slice(0, 1) : [...instances, ...away];
  }

  /** Two nodes of one name, as far as is known; undefined: one. */
  #doublesOf(name: string, { nodes, up, instances }: SameName): Doubles | undefined {
    const nowMs = performance.now();
    const known = this.#doubles.get(name);
    if (instances.length < 2) {
      // Away for a while, unless both addresses turn out to be those of one node, or only one is left.
      if (known?.isReported === true && nodes.length > 1 && up.length < 2) return known;
      this.#doubles.delete(name);
      return undefined;
    }
    const doubles = known ?? { sinceMs: nowMs, addresses: new Set<string>(), isReported: false };
    this.#doubles.set(name, doubles);
    for (const { address } of instances) doubles.addresses.add(address);
    if (!doubles.isReported) {
      if (nowMs - doubles.sinceMs < SUCCESSION_MS) return undefined;
      doubles.isReported = true;
      const addresses = [...doubles.addresses];
      this.#options.logger.error('two storage nodes have one name; set -storageNode.name', { node: name, addresses });
    }
    return doubles;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const { node } of this.#listed.values()) node.close();
  }
}
