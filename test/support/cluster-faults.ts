// A cluster of real processes under faults that a seed chooses: nodes are killed, stopped and started, with clocks that are wrong;
// links are slow, cut, silent or lose answers; disks are full; insert and select restart, and their lists change, while senders
// send and readers read. What must hold: nothing acknowledged is lost, no span is shown twice, an answer
// that lacks a node says so or fails, and nobody waits for ever.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkSpans, FaultBook, pick } from './fault-book.ts';
import { LinkProxy, type LinkState } from './link-proxy.ts';
import { RoleProcess, waitFor } from './role-process.ts';
import type { Random } from './random-request.ts';
import { canMount, SmallDisk } from './small-disk.ts';

/** Longer than any request may take: two calls to each of three nodes, and the wait for a slot. */
const PATIENCE_MS = 60_000;
/** Of insert or select after a schedule, in bytes. */
const MEMORY_MAX: number = 700 << 20;
const LINK_STATES: readonly LinkState[] = ['slow', 'cut', 'silent', 'lossy', 'open'];

/** Of a small disk; below the room that a node insists on (10 MB), nothing fits. */
const DISK_SIZE = '192m';
const FULL_FREE_BYTES = 1 << 20;
const CLOCK_MINUTES = 60;
/** Traces of earlier schedules that are read after each. */
const OLD_CHECKED = 50;

interface Store {
  readonly process: RoleProcess;
  readonly link: LinkProxy;
  /** undefined: it cannot be filled, because this user may not mount. */
  readonly disk: SmallDisk | undefined;
  state: 'running' | 'stopped' | 'dead';
}

export class FaultyCluster implements AsyncDisposable {
  readonly #stores: Store[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'tracelith-faults-'));
  #insert!: RoleProcess;
  #select!: RoleProcess;
  readonly #book = new FaultBook();
  /** What happened, for the failure's message. */
  readonly events: string[] = [];
  readonly counts = { acknowledged: 0, refused: 0, whole: 0, partial: 0, failed: 0 };

  static async open(): Promise<FaultyCluster> {
    const cluster = new FaultyCluster();
    const hasDisks = canMount();
    for (const name of ['f1', 'f2', 'f3']) {
      const disk = hasDisks ? new SmallDisk(DISK_SIZE) : undefined;
      const kept = disk && join(disk.path, 'data');
      if (kept !== undefined) mkdirSync(kept);
      const process = await RoleProcess.storing(name, false, [], kept);
      cluster.#stores.push({ process, link: await LinkProxy.open(process.address), disk, state: 'running' });
    }
    await Promise.all(cluster.#stores.map(({ process }) => process.start()));
    for (const role of ['insert', 'select'] as const) cluster.#list(role, cluster.#stores);
    const nodesOf = (role: 'insert' | 'select'): string => `file://${join(cluster.#folder, role)}`;
    cluster.#insert = await RoleProcess.inFront('insert', nodesOf('insert'), ['-storageNode.writeTimeout=1s']);
    cluster.#select = await RoleProcess.inFront('select', nodesOf('select'), ['-search.maxQueryDuration=10s']);
    await Promise.all([cluster.#insert.start(), cluster.#select.start()]);
    return cluster;
  }

  /** One schedule: `steps` faults with sends and reads between them, then everything heals and is checked. */
  async run(random: Random, steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      await this.#disturb(random);
      await Promise.all(Array.from({ length: 3 }, () => this.#send(random)));
      await Promise.all([this.#read(random, true), this.#read(random, false)]);
    }
    await this.#heal();
    await this.#check(this.#book.takeUnchecked(random, OLD_CHECKED));
  }

  /** Every trace of all schedules. */
  async checkAll(): Promise<void> {
    await this.#check(this.#book.traces);
  }

  async #disturb(random: Random): Promise<void> {
    const store = pick(random, this.#stores);
    const dice = random();
    if (dice < 0.3) await this.#disturbAround(random, store);
    else await this.#disturbStore(random, store);
  }

  /** The disk of the store; insert and select, and their lists. */
  async #disturbAround(random: Random, { process, disk }: Store): Promise<void> {
    const dice = random();
    if (dice < 0.25) {
      const isFull = random() < 0.7;
      this.events.push(`disk of ${process.name} ${isFull ? 'full' : 'has room'}`);
      if (isFull) disk?.fillUpTo(FULL_FREE_BYTES);
      else disk?.removeBallast();
    } else if (dice < 0.5) {
      const isWhole = random() < 0.4;
      this.events.push(isWhole ? 'insert lists all' : `insert lists all but ${process.name}`);
      this.#list(
        'insert',
        this.#stores.filter((each) => isWhole || each.process !== process),
      );
    } else if (dice < 0.6) {
      this.events.push('select lists all in another order');
      this.#list(
        'select',
        this.#stores.toSorted(() => random() - 0.5),
      );
    } else {
      const node = random() < 0.5 ? this.#insert : this.#select;
      const signal = random() < 0.5 ? 'SIGKILL' : 'SIGTERM';
      this.events.push(`${node.name} ${signal}, and starts`);
      await node.signal(signal);
      await node.start();
    }
  }

  /** In one step, as deploy/ does it: a list that is half written names fewer nodes. */
  #list(role: 'insert' | 'select', stores: readonly Store[]): void {
    const path = join(this.#folder, role);
    writeFileSync(`${path}.new`, stores.map(({ link }) => link.address).join('\n'));
    renameSync(`${path}.new`, path);
  }

  async #disturbStore(random: Random, store: Store): Promise<void> {
    const { name } = store.process;
    const dice = random();
    if (dice < 0.4) {
      const state = pick(random, LINK_STATES);
      this.events.push(`link of ${name} ${state}`);
      store.link.set(state);
    } else if (store.state === 'dead') {
      const minutes = random() < 0.5 ? 0 : Math.round((2 * random() - 1) * CLOCK_MINUTES);
      this.events.push(`${name} starts, its clock ${minutes} minutes off`);
      await store.process.start(withClock(minutes));
      store.state = 'running';
    } else if (store.state === 'stopped') {
      this.events.push(`${name} goes on`);
      await store.process.signal('SIGCONT');
      store.state = 'running';
    } else if (dice < 0.7) {
      this.events.push(`${name} stops`);
      await store.process.signal('SIGSTOP');
      store.state = 'stopped';
    } else {
      const signal = dice < 0.85 ? 'SIGKILL' : 'SIGTERM';
      this.events.push(`${name} ${signal}`);
      await store.process.signal(signal);
      store.state = 'dead';
    }
  }

  /** A request with spans of new and known traces. */
  async #send(random: Random): Promise<void> {
    const { body, acknowledge } = this.#book.makeRequest(random);
    const headers = { 'content-type': 'application/x-protobuf' };
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const reply = await fetch(`${this.#insert.url}/v1/traces`, { method: 'POST', headers, body, signal });
    await reply.arrayBuffer();
    if (reply.status !== 200) {
      if (reply.status !== 503 && reply.status !== 429) throw new Error(`a request got ${reply.status}`);
      this.counts.refused++;
      return;
    }
    this.counts.acknowledged++;
    acknowledge();
  }

  /** An acknowledged trace: whole, or said to lack something. */
  async #read(random: Random, allowsPartial: boolean): Promise<void> {
    const known = this.#book.traces;
    if (known.length === 0) return;
    const id = pick(random, known);
    // What is acknowledged while it is read need not be in the answer.
    const wanted = this.#book.spansOf(id);
    const path = `/api/traces/${id}?raw=true${allowsPartial ? '&allow_partial_response=1' : ''}`;
    const reply = await fetch(`${this.#select.url}${path}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await reply.text();
    const partial = reply.headers.get('x-tracelith-partial');
    if (reply.status === 503 || reply.status === 429) {
      this.counts.failed++;
      return;
    }
    if (partial !== null && !allowsPartial) throw new Error(`an answer without ${partial} that nobody allowed`);
    if (partial !== null) {
      this.counts.partial++;
      return;
    }
    this.counts.whole++;
    checkSpans(id, wanted, reply.status, text);
  }

  async #heal(): Promise<void> {
    for (const store of this.#stores) {
      store.link.set('open');
      if (store.state === 'stopped') await store.process.signal('SIGCONT');
      store.disk?.removeBallast();
      if (store.state === 'dead') await store.process.start();
      store.state = 'running';
    }
    for (const role of ['insert', 'select'] as const) this.#list(role, this.#stores);
    this.events.push('healed');
    await waitFor('whole answers again', async () => (await fetch(`${this.#select.url}/api/services`)).status === 200);
  }

  async #check(ids: Iterable<string>): Promise<void> {
    for (const id of ids) {
      const reply = await fetch(`${this.#select.url}/api/traces/${id}?raw=true`);
      checkSpans(id, this.#book.spansOf(id), reply.status, await reply.text());
    }
    for (const node of [this.#insert, this.#select]) {
      const bytes = node.residentBytes;
      if (bytes > MEMORY_MAX) throw new Error(`${node.name} has ${bytes} bytes in memory`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of [this.#insert, this.#select]) await node[Symbol.asyncDispose]();
    for (const { process, link, disk } of this.#stores) {
      await link[Symbol.asyncDispose]();
      await process[Symbol.asyncDispose]();
      disk?.[Symbol.dispose]();
    }
    rmSync(this.#folder, { recursive: true });
  }
}

/** Starts the program with a clock that is wrong by so much, in every thread. */
function withClock(minutes: number): readonly string[] {
  if (minutes === 0) return [];
  const shift = `const now = Date.now; Date.now = () => now() + ${minutes * 60_000};`;
  return ['env', `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(shift)}`];
}
