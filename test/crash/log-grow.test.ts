// A cluster with a log grows from two to three storage nodes a zone, as docs/operations/log.md says: a new zone beside the others, its
// days copied by `tracelith sync`, then the old zones replaced one after the other; and reads go on.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasNatsServer } from '../../native-bench/harness/nats-servers.ts';
import { figureOf, LogCluster, newTraces } from '../support/log-cluster.ts';
import { runProgram } from '../support/node-process.ts';
import { RoleProcess, waitFor } from '../support/role-process.ts';

const PARTITIONS = 4;
const NODES = 3;

class GrowingCluster implements AsyncDisposable {
  readonly old: LogCluster;
  /** Reads the list of storage nodes from a file. */
  readonly select: RoleProcess;
  readonly traces: string[] = [];
  readonly #folder: string;
  readonly #log: readonly string[];
  readonly #opened: RoleProcess[] = [];

  private constructor(old: LogCluster, select: RoleProcess, folder: string, log: readonly string[]) {
    this.old = old;
    this.select = select;
    this.#folder = folder;
    this.#log = log;
  }

  static async open(): Promise<GrowingCluster> {
    const old = await LogCluster.open({ partitions: PARTITIONS });
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-grow-'));
    const log = [`-ingestLog=nats://${old.nats.addresses}`, `-ingestLog.partitions=${PARTITIONS}`];
    const select = await RoleProcess.inFront('select', `file://${join(folder, 'nodes')}`, log);
    const cluster = new GrowingCluster(old, select, folder, log);
    cluster.#write(old.storage);
    await select.start();
    return cluster;
  }

  /** What select asks from now on. Resolves when it knows of it, which takes some seconds. */
  async list(nodes: readonly RoleProcess[]): Promise<void> {
    this.#write(nodes);
    const meant = nodes.map(({ address }) => address);
    await waitFor('select to reach the storage nodes of its list', async () => {
      const page = (await this.old.ask('/metrics', this.select)).text;
      const reached = [...page.matchAll(/^vt_insert_remote_is_reachable\{.*addr="([^"]*)"\} 1$/gm)].map(
        ([, addr]) => addr,
      );
      return reached.length === meant.length && meant.every((address) => reached.includes(address));
    });
  }

  #write(nodes: readonly RoleProcess[]): void {
    writeFileSync(join(this.#folder, 'nodes'), nodes.map(({ address }) => `${address}\n`).join(''));
  }

  /** A zone of three nodes with empty directories. */
  async startZone(zone: string): Promise<RoleProcess[]> {
    const nodes: RoleProcess[] = [];
    for (let ordinal = 0; ordinal < NODES; ordinal++) {
      const place = [`-ingestLog.zone=${zone}`, `-ingestLog.nodes=${NODES}`, `-ingestLog.ordinal=${ordinal}`];
      const node = await RoleProcess.storing(`${zone}-${ordinal}`, false, [...this.#log, ...place]);
      this.#opened.push(node);
      nodes.push(await node.start());
    }
    return nodes;
  }

  async write(): Promise<void> {
    for (let n = 0; n < 10; n++) {
      const { body, traces } = newTraces(8);
      expect(await this.old.write(body)).toBe(200);
      this.traces.push(...traces);
    }
  }

  /** What is wrong with the answer about a trace; undefined: nothing. */
  async fault(id: string): Promise<string | undefined> {
    const path = `/api/traces/${id}`;
    const [answer, whole] = await Promise.all([this.old.ask(path, this.select), this.old.ask(path, this.old.single)]);
    const isWhole = answer.status === 200 && answer.warnings === null && answer.text === whole.text;
    return isWhole ? undefined : `${path}: ${answer.status} ${answer.warnings} ${answer.text.slice(0, 200)}`;
  }

  async isWhole(): Promise<void> {
    for (const id of this.traces) expect(await this.fault(id)).toBeUndefined();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of [this.select, ...this.#opened]) await one[Symbol.asyncDispose]();
    await this.old[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Asks without a pause until it is stopped; resolves with what was wrong, and how many questions there were. */
function readOn(cluster: GrowingCluster): () => Promise<{ readonly faults: string[]; readonly asked: number }> {
  let isOver = false;
  const faults: string[] = [];
  let asked = 0;
  const running = (async () => {
    for (; !isOver; asked++) {
      const fault = await cluster.fault(cluster.traces[asked % cluster.traces.length]!);
      if (fault !== undefined) faults.push(fault);
    }
  })();
  return async () => {
    isOver = true;
    await running;
    return { faults, asked };
  };
}

/** From each node of a whole zone to each new one. Exit code 2: the two read no partition both. */
async function copy(from: readonly RoleProcess[], to: readonly RoleProcess[]): Promise<void> {
  for (const target of to) {
    const codes: (number | undefined)[] = [];
    for (const source of from) {
      const { exitCode, output } = await runProgram(['sync', '--from', source.url, '--to', target.url]);
      if (exitCode !== 0) expect([exitCode, output]).toEqual([2, expect.stringContaining('read some partition both')]);
      codes.push(exitCode);
    }
    expect(codes).toContain(0);
    await waitFor(`${target.name} to lack nothing`, async () => (await figureOf(target, 'gap_messages')) === 0);
  }
}

const stop = async (nodes: readonly RoleProcess[]): Promise<void> => {
  for (const node of nodes) await node.signal('SIGTERM');
};

test.skipIf(!hasNatsServer())(
  'a cluster with a log grows from two to three nodes a zone while it is read',
  { timeout: 600_000 },
  async () => {
    await using cluster = await GrowingCluster.open();
    const [a, b] = [cluster.old.storage.slice(0, 2), cluster.old.storage.slice(2)];
    await cluster.write();
    await cluster.isWhole();
    // The log has dropped what the old zones stored long ago.
    const stored = async (): Promise<number[]> =>
      await Promise.all(cluster.old.storage.map((node) => figureOf(node, 'lag_messages')));
    await waitFor('all to be stored', async () => (await stored()).every((lag) => lag === 0));
    for (let partition = 0; partition < PARTITIONS; partition++) await cluster.old.nats.drop(`tracelith-${partition}`);
    const stopReading = readOn(cluster);

    const c = await cluster.startZone('c');
    await cluster.list([...a, ...b, ...c]);
    await waitFor('the new zone to say what it lacks', async () =>
      (await Promise.all(c.map((node) => figureOf(node, 'gap_messages')))).every((gap) => gap > 0),
    );
    await cluster.write();
    await copy(a, c);

    await cluster.list([...b, ...c]);
    await stop(a);
    await cluster.write();
    const again = await cluster.startZone('a');
    await copy(c, again);
    await cluster.list([...c, ...again]);
    await stop(b);
    await cluster.write();

    for (const node of c) await node.signal('SIGKILL');
    await cluster.isWhole();
    const { faults, asked } = await stopReading();
    expect(faults).toEqual([]);
    expect(asked).toBeGreaterThan(cluster.traces.length);
  },
);
