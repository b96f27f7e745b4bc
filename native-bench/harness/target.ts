// What is measured: a node started here, a node that already runs, or a peer; all take OTLP over HTTP and speak Jaeger JSON.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpClient } from './http-client.ts';
import { startNode } from './node-process.ts';
import type { BenchOptions } from './options.ts';
import type { ProcessUsage } from './process-usage.ts';
import { readUsage } from './process-usage.ts';

export interface Target {
  readonly name: string;
  readonly url: string;
  readonly insertPath: string;
  /** Prefix of services, traces, … */
  readonly jaegerPath: string;
  readonly pid: number | undefined;
  readonly dataPath: string | undefined;
  /** Where a floor for its disk can be measured. */
  readonly scratchPath: string;
  /** Stops what was started and removes what was made for it. */
  close(): Promise<void>;
}

/** Our node: started here unless --url is given. */
export async function openOwn(options: BenchOptions): Promise<Target> {
  const common = { name: 'tracelith', insertPath: '/v1/traces', jaegerPath: '/api' };
  if (options.url !== undefined) {
    const { url, pid, dataPath } = options;
    return {
      ...common,
      url: url.replace(/\/$/, ''),
      pid,
      dataPath,
      scratchPath: dataPath ?? tmpdir(),
      close: async () => {},
    };
  }
  if (options.store !== undefined) {
    // Kept: the next run opens it again.
    const dataPath = join(options.store, 'data');
    const node = await startNode({ dataPath, grpc: false, flags: options.flags });
    const close = async (): Promise<void> => void (await node.child.stop());
    return { ...common, url: node.url, pid: node.child.pid, dataPath, scratchPath: options.store, close };
  }
  const scratchPath = mkdtempSync(join(options.dataPath ?? tmpdir(), 'tracelith-bench-'));
  const remove = (): void => rmSync(scratchPath, { recursive: true, force: true });
  const dataPath = join(scratchPath, 'data');
  const node = await startNode({ dataPath, grpc: false, flags: options.flags }).catch((error: unknown) => {
    remove();
    throw error;
  });
  process.once('exit', remove);
  const close = async (): Promise<void> => {
    const code = await node.child.stop();
    remove();
    if (code !== 0)
      console.error(`the node left with code ${code ?? 'none (killed)'}; its last output:\n${node.child.output}`);
  };
  return { ...common, url: node.url, pid: node.child.pid, dataPath, scratchPath, close };
}

export function openPeer(options: BenchOptions): Target | undefined {
  const { peer, peerPid, peerDataPath } = options;
  if (peer === undefined) return undefined;
  return {
    name: peer.name,
    url: peer.url,
    insertPath: options.peerInsertPath,
    jaegerPath: options.peerJaegerPath,
    pid: peerPid,
    dataPath: peerDataPath,
    scratchPath: peerDataPath ?? tmpdir(),
    close: async () => {},
  };
}

/** Runs `measure` on our node and then on the peer, one at a time so that neither takes the other's CPU. */
export async function onEachTarget<T>(options: BenchOptions, measure: (target: Target) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (const open of [() => openOwn(options), async () => openPeer(options)]) {
    const target = await open();
    if (target === undefined) continue;
    try {
      results.push(await measure(target));
    } finally {
      await target.close();
    }
  }
  return results;
}

export function usageOf(target: Target): ProcessUsage | undefined {
  return target.pid === undefined ? undefined : readUsage(target.pid);
}

/** Flush and full merge, where the target has them; returns how long both took, or undefined. */
export async function settle(target: Target): Promise<number | undefined> {
  using client = new HttpClient(target.url, 1);
  const startMs = performance.now();
  for (const path of ['/internal/force_flush', '/internal/force_merge']) {
    const reply = await client.post(path, new Uint8Array(0));
    if (reply.status === 404 || reply.status === 405) return undefined;
    if (reply.status >= 300)
      throw new Error(
        `POST ${target.url}${path}: status ${reply.status}: ${reply.body.toString('utf8').slice(0, 300)}`,
      );
  }
  return performance.now() - startMs;
}

/** Allocated bytes by kind of file; a kind is a path without what differs between days and parts. */
export function bytesByKind(directory: string): Map<string, number> {
  const kinds = new Map<string, number>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const stat = statSync(path, { throwIfNoEntry: false }); // a merge may have removed it meanwhile
    if (stat === undefined) continue;
    const kind = path
      .slice(directory.length + 1)
      .split('/')
      .map((segment) =>
        /^[0-9a-f-]{4,}(?=\.|$)/i.test(segment) || /^\d+(?=\.|$)/.test(segment)
          ? segment.replace(/^[0-9a-f-]+/i, '*')
          : segment,
      )
      .join('/');
    kinds.set(kind, (kinds.get(kind) ?? 0) + stat.blocks * 512);
  }
  return kinds;
}

export function bytesOnDisk(directory: string): number {
  return [...bytesByKind(directory).values()].reduce((sum, bytes) => sum + bytes, 0);
}
