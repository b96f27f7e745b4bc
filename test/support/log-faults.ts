// A cluster with a log, of real processes, under faults that a seed chooses: nodes and servers of the log are killed and stopped, a whole
// zone is killed, everything is restarted in turns, links are slow, cut or silent, the disk under a server of the log is full, bytes in its files are
// flipped, while senders send and readers read. What must hold: nothing acknowledged is lost, no span is shown twice, an
// answer without a warning lacks nothing, and while one machine or zone at most is away, every question is answered
// at the second try, and writes resume. Afterwards both zones answer the same bytes.
import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NatsServers, type NatsServer } from '../../native-bench/harness/nats-servers.ts';
import { checkOnce, checkSpans, FaultBook, pick } from './fault-book.ts';
import { LinkProxy, type LinkState } from './link-proxy.ts';
import { figureOf } from './log-cluster.ts';
import type { Random } from './random-request.ts';
import { RoleProcess, waitFor } from './role-process.ts';
import { canMount, SmallDisk } from './small-disk.ts';

const PARTITIONS = 4;
const ZONES = ['a', 'b'];
/** A sender or reader gives up and goes to the other node. */
const PATIENCE_MS = 15_000;
/** Writes that do not resume until then never do; no measure of how fast they are. */
const RESUME_MOST_MS = 180_000;
const LINK_STATES: readonly LinkState[] = ['slow', 'cut', 'silent', 'lossy'];
/** With JetStream's own files; a full one takes not even a small message. */
const DISK_SIZE = '256m';
const FULL_FREE_BYTES = 4 << 10;
/** Traces of earlier schedules that are read after each. */
const OLD_CHECKED = 30;
/** Of schedules: those in which several machines may be away at once. */
const WILD_SHARE = 0.3;

const FRONTS: Readonly<Record<string, string>> = { insert: 'an insert node', select: 'a select node' };

interface Fault {
  /** Machine or zone that is away with it. */
  readonly what: string;
  readonly heal: () => Promise<void>;
}

interface Linked {
  readonly process: RoleProcess;
  readonly link: LinkProxy;
}

/** Between two servers of the log. */
interface Route {
  readonly ends: readonly number[];
  readonly link: LinkProxy;
}

interface Answered {
  readonly status: number;
  readonly text: string;
  readonly warnings: string | null;
}

export class FaultyLogCluster implements AsyncDisposable {
  readonly #book = new FaultBook();
  readonly #nats: NatsServers;
  /** Of clients to each server of the log. */
  readonly #natsLinks: readonly LinkProxy[];
  readonly #routes: readonly Route[];
  /** Of the last server of the log; undefined: this user may not mount. */
  readonly #disk: SmallDisk | undefined;
  /** Zone by zone. */
  readonly #storage: readonly Linked[];
  readonly #inserts: readonly RoleProcess[];
  readonly #selects: readonly RoleProcess[];
  #faults: Fault[] = [];
  /** Whether a question may get 503 now: several machines are away, or were a moment ago. */
  #mayFail = false;
  /** What happened, for the failure's message. */
  readonly events: string[] = [];
  readonly counts = { acknowledged: 0, refused: 0, whole: 0, warned: 0, retried: 0, failed: 0 };
  /** How long writes took to be acknowledged again after each kind of fault, the longest, ms. */
  readonly resumedMs: Record<string, number> = {};

  private constructor(
    nats: NatsServers,
    links: { readonly nats: readonly LinkProxy[]; readonly routes: readonly Route[] },
    disk: SmallDisk | undefined,
    nodes: { storage: readonly Linked[]; inserts: readonly RoleProcess[]; selects: readonly RoleProcess[] },
  ) {
    this.#nats = nats;
    this.#natsLinks = links.nats;
    this.#routes = links.routes;
    this.#disk = disk;
    this.#storage = nodes.storage;
    this.#inserts = nodes.inserts;
    this.#selects = nodes.selects;
  }

  /** `nodes`: storage nodes of each zone. */
  static async open(nodes: number): Promise<FaultyLogCluster> {
    const disk = canMount() ? new SmallDisk(DISK_SIZE) : undefined;
    const natsLinks: LinkProxy[] = [];
    const through = async (address: string): Promise<string> => {
      const link = await LinkProxy.open(address);
      natsLinks.push(link);
      return link.address;
    };
    const routes: Route[] = [];
    const nats = await NatsServers.open({
      through,
      routeThrough: async (address, from, to) => {
        const link = await LinkProxy.open(address);
        routes.push({ ends: [from, to], link });
        return link.address;
      },
      storePaths: [undefined, undefined, disk && join(disk.path, 'nats')],
    });
    const log = [`-ingestLog=nats://${nats.addresses}`, `-ingestLog.partitions=${PARTITIONS}`];
    const storage: Linked[] = [];
    for (const zone of ZONES)
      for (let ordinal = 0; ordinal < nodes; ordinal++) {
        const place = [`-ingestLog.zone=${zone}`, `-ingestLog.nodes=${nodes}`, `-ingestLog.ordinal=${ordinal}`];
        const process = await RoleProcess.storing(`${zone}${ordinal}`, false, [...log, ...place]);
        storage.push({ process, link: await LinkProxy.open(process.address) });
      }
    const listed = storage.map(({ link }) => link.address).join(',');
    const monitors = `-ingestLog.monitor=${nats.monitorUrls}`;
    const [inserts, selects]: [RoleProcess[], RoleProcess[]] = [[], []];
    for (let n = 0; n < 2; n++) {
      inserts.push(await RoleProcess.inFront('insert', listed, [...log, monitors]));
      selects.push(await RoleProcess.inFront('select', listed, [...log, `-ingestLog.zone=${ZONES[n]}`]));
    }
    const cluster = new FaultyLogCluster(nats, { nats: natsLinks, routes }, disk, { storage, inserts, selects });
    try {
      await Promise.all(cluster.#processes.map((each) => each.start()));
      await cluster.#heal();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get #processes(): readonly RoleProcess[] {
    return [...this.#storage.map(({ process }) => process), ...this.#inserts, ...this.#selects];
  }

  /** One schedule: `steps` faults with sends and reads between them, then everything heals and is checked. */
  async run(random: Random, steps: number): Promise<void> {
    const isWild = random() < WILD_SHARE;
    // A node that is back is asked again a moment later.
    this.#mayFail = isWild;
    this.events.push(isWild ? 'several may be away' : 'one may be away');
    for (let step = 0; step < steps; step++) {
      if (!isWild || this.#faults.length === 2 || random() < 0.3) await this.#healOne();
      const kind = await this.#disturb(random);
      if (this.#faults.length <= 1) await this.#resume(random, kind);
      for (let round = 0; round < 2; round++) {
        await Promise.all(Array.from({ length: 3 }, () => this.#send(random)));
        await Promise.all([this.#read(random), this.#read(random)]);
      }
    }
    await this.#heal();
    await this.#check(this.#book.takeUnchecked(random, OLD_CHECKED));
  }

  /** Every trace of all schedules. */
  async checkAll(): Promise<void> {
    await this.#check(new Set(this.#book.traces));
  }

  /** Returns the kind of the fault. */
  async #disturb(random: Random): Promise<string> {
    const isAway = (what: string): boolean => this.#faults.some((fault) => fault.what === what);
    const dice = random();
    if (dice < 0.4) {
      const i = Math.floor(random() * this.#nats.servers.length);
      return isAway(`nats ${i}`) ? 'nothing' : await this.#disturbServer(random, i);
    }
    if (dice < 0.7) {
      const zone = pick(random, ZONES);
      return isAway(`zone ${zone}`) ? 'nothing' : await this.#disturbZone(random, zone);
    }
    if (dice < 0.95) {
      const process = pick(random, [...this.#inserts, ...this.#selects]);
      const what = `${process.name} ${process.url}`;
      return isAway(what) ? 'nothing' : await this.#disturbProcess(random, process, what);
    }
    if (this.#faults.length > 0) return 'nothing';
    return await this.#restartAll(random);
  }

  #add(kind: string, what: string, heal: () => Promise<void>): string {
    this.events.push(`${what}: ${kind}`);
    this.#faults.push({ what, heal });
    return kind;
  }

  async #disturbServer(random: Random, i: number): Promise<string> {
    const what = `nats ${i}`;
    const dice = random();
    if (dice < 0.25) {
      const leader = await this.#nats.leaderOf(`tracelith-${Math.floor(random() * PARTITIONS)}`);
      const n = this.#nats.servers.indexOf(leader);
      if (this.#faults.length > 0 && n !== i) return 'nothing';
      return await this.#killServer(leader, `nats ${n}`, 'the leader is killed');
    }
    const server = this.#nats.servers[i]!;
    if (dice < 0.35) return await this.#killServer(server, what, 'a server of the log is killed');
    if (dice < 0.5) return this.#isolate(random, i, what);
    if (dice < 0.65) {
      server.pause();
      return this.#add('a server of the log is stopped', what, async () => server.resume());
    }
    if (dice < 0.8) return await this.#flip(random, server, what);
    const link = this.#natsLinks[i]!;
    if (dice < 0.9 || this.#disk === undefined) return this.#break(random, link, `clients of ${what}`, what);
    if (i !== 2) return 'nothing';
    const disk = this.#disk;
    disk.fillUpTo(FULL_FREE_BYTES);
    return this.#add('the disk of a server of the log is full', what, async () => {
      disk.removeBallast();
      // JetStream is off on it until it starts again.
      await server.kill9();
      await server.start();
    });
  }

  async #killServer(server: NatsServer, what: string, kind: string): Promise<string> {
    await server.kill9();
    return this.#add(kind, what, async () => await server.start());
  }

  /** From the other servers, and not from its clients. */
  #isolate(random: Random, server: number, what: string): string {
    const state = pick(random, LINK_STATES);
    this.events.push(`routes of ${what} ${state}`);
    const links = this.#routes.filter(({ ends }) => ends.includes(server)).map(({ link }) => link);
    for (const link of links) link.set(state);
    return this.#add(`links between servers of the log are ${state}`, what, async () => {
      for (const link of links) link.set('open');
    });
  }

  /** While the server is down, in its files of messages and of the consensus. */
  async #flip(random: Random, server: NatsServer, what: string): Promise<string> {
    await server.kill9();
    const files = filesBelow(server.storePath).filter((path) => path.endsWith('.blk') && statSync(path).size > 0);
    for (let n = 0; n < 4 && files.length > 0; n++) flipByte(random, pick(random, files));
    await server.start();
    return this.#add('bytes in files of a server of the log are flipped', what, async () => undefined);
  }

  #break(random: Random, link: LinkProxy, shown: string, what: string): string {
    const state = pick(random, LINK_STATES);
    this.events.push(`link of ${shown} ${state}`);
    link.set(state);
    return this.#add(`a link is ${state}`, what, async () => link.set('open'));
  }

  async #disturbZone(random: Random, zone: string): Promise<string> {
    const what = `zone ${zone}`;
    const nodes = this.#storage.filter(({ process }) => process.name.startsWith(zone));
    const dice = random();
    if (dice < 0.3) {
      for (const { process } of nodes) await process.signal('SIGKILL');
      return this.#add('a zone is killed', what, async () => {
        for (const { process } of nodes) await process.start();
      });
    }
    const { process, link } = pick(random, nodes);
    if (dice < 0.55) return this.#break(random, link, process.name, what);
    return await this.#disturbProcess(random, process, what);
  }

  async #disturbProcess(random: Random, process: RoleProcess, what: string): Promise<string> {
    const { name } = process;
    const shown = FRONTS[name] ?? 'a storage node';
    const dice = random();
    if (dice < 0.4) {
      await process.signal('SIGSTOP');
      return this.#add(`${shown} is stopped`, what, async () => await process.signal('SIGCONT'));
    }
    await process.signal(dice < 0.8 ? 'SIGKILL' : 'SIGTERM');
    return this.#add(`${shown} is ${dice < 0.8 ? 'killed' : 'ended'}`, what, async () => void (await process.start()));
  }

  /** One after the other, while spans are sent and read. */
  async #restartAll(random: Random): Promise<string> {
    this.events.push('rolling restart of everything');
    let isOver = false;
    const load = (async (): Promise<void> => {
      while (!isOver) {
        await this.#send(random);
        await this.#read(random);
      }
    })();
    const restarts = async (): Promise<void> => {
      for (const server of this.#nats.servers) {
        await server.stop();
        await server.start();
        await server.waitUntilHealthy();
      }
      for (const process of this.#processes) {
        await process.signal('SIGTERM');
        await process.start();
        if (this.#storage.some((each) => each.process === process)) await this.#caughtUp();
      }
    };
    // If reads fail, the restarts go on to their end, and the other way round.
    const [, restarted] = await Promise.allSettled([
      load,
      restarts().finally(() => {
        isOver = true;
      }),
    ]);
    await load;
    if (restarted.status === 'rejected') throw restarted.reason;
    return 'rolling restart';
  }

  async #healOne(): Promise<void> {
    const fault = this.#faults.shift();
    if (fault === undefined) return;
    this.events.push(`${fault.what} is back`);
    await fault.heal();
    // Until then it is away, whatever runs.
    if (this.#faults.length === 0) await this.#allBack();
  }

  async #heal(): Promise<void> {
    while (this.#faults.length > 0) await this.#healOne();
    await this.#allBack();
  }

  async #allBack(): Promise<void> {
    for (const server of this.#nats.servers) await server.waitUntilHealthy();
    for (const select of this.#selects)
      await waitFor('whole answers again', async () => {
        const { status, warnings } = await ask(select, '/api/services');
        return status === 200 && warnings === null;
      });
    await this.#caughtUp();
  }

  /** Both zones have stored the same, up to the end. */
  async #caughtUp(): Promise<void> {
    await waitFor('both zones to have stored all', async () => {
      const lags = await Promise.all(this.#storage.map(({ process }) => figureOf(process, 'lag_messages')));
      const stored = await Promise.all(this.#storage.map(({ process }) => figureOf(process, 'stored_offset')));
      const half = stored.length / 2;
      return lags.every((lag) => lag === 0) && stored.slice(0, half).every((offset, n) => offset === stored[half + n]);
    });
  }

  /** Sends until it is acknowledged. */
  async #resume(random: Random, kind: string): Promise<void> {
    const startMs = performance.now();
    while (!(await this.#send(random))) {
      if (performance.now() - startMs > RESUME_MOST_MS) throw new Error(`writes do not resume: ${kind}`);
      await delay(50);
    }
    this.resumedMs[kind] = Math.max(this.resumedMs[kind] ?? 0, Math.round(performance.now() - startMs));
  }

  /** As a proxy passes it on: to the other insert node where the first does not take it. Whether it was acknowledged. */
  async #send(random: Random): Promise<boolean> {
    const { body, acknowledge } = this.#book.makeRequest(random);
    const first = Math.floor(random() * this.#inserts.length);
    const isTaken =
      (await isAcknowledged(this.#inserts[first]!, body)) || (await isAcknowledged(this.#inserts[1 - first]!, body));
    if (isTaken) acknowledge();
    this.counts[isTaken ? 'acknowledged' : 'refused']++;
    return isTaken;
  }

  /** An acknowledged trace, as a proxy asks for it: once more of the other select node where the first does not answer. */
  async #read(random: Random): Promise<void> {
    const known = this.#book.traces;
    if (known.length === 0) return;
    const id = pick(random, known);
    // What is acknowledged while it is read need not be in the answer.
    const wanted = this.#book.spansOf(id);
    const first = Math.floor(random() * this.#selects.length);
    const path = `/api/traces/${id}?raw=true`;
    let answer = await ask(this.#selects[first]!, path);
    if (answer.status >= 500 || answer.status === 429) {
      this.counts.retried++;
      answer = await ask(this.#selects[1 - first]!, path);
    }
    const { status, text, warnings } = answer;
    if (status >= 500 || status === 429) {
      this.counts.failed++;
      if (!this.#mayFail) throw new Error(`a read failed at the second try with ${status}: ${text.slice(0, 500)}`);
      return;
    }
    if (warnings !== null) {
      this.counts.warned++;
      if (status === 200) checkOnce(id, text);
      return;
    }
    this.counts.whole++;
    checkSpans(id, wanted, status, text);
  }

  async #check(ids: ReadonlySet<string>): Promise<void> {
    for (const { process } of this.#storage) {
      const lost = (await figureOf(process, 'gap_messages')) + (await figureOf(process, 'messages_set_aside_total'));
      if (lost > 0)
        throw new Error(`${process.name} lacks ${lost} messages of the log:\n${process.log().slice(-3_000)}`);
    }
    for (const [n, id] of [...ids].entries()) {
      const answer = await ask(this.#selects[n % this.#selects.length]!, `/api/traces/${id}?raw=true`);
      checkSpans(id, this.#book.spansOf(id), answer.status, answer.text);
    }
    const half = this.#storage.length / 2;
    for (const [n, { process }] of this.#storage.slice(0, half).entries())
      await checkEqual(process, this.#storage[half + n]!.process, ids);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) await process[Symbol.asyncDispose]();
    await this.#nats[Symbol.asyncDispose]();
    const links = [...this.#natsLinks, ...[...this.#routes, ...this.#storage].map(({ link }) => link)];
    for (const link of links) await link[Symbol.asyncDispose]();
    this.#disk?.[Symbol.dispose]();
  }
}

/** Throws unless both nodes answer the same bytes. */
async function checkEqual(one: RoleProcess, other: RoleProcess, ids: ReadonlySet<string>): Promise<void> {
  const paths = ['/api/services', '/api/services/shop/operations', ...[...ids].map((id) => `/api/traces/${id}`)];
  for (const path of paths) {
    const [ours, theirs] = [await ask(one, path), await ask(other, path)];
    if (ours.status !== theirs.status || ours.text !== theirs.text)
      throw new Error(
        `${path}: ${one.name} and ${other.name} differ: ${JSON.stringify([ours, theirs]).slice(0, 2_000)}`,
      );
  }
}

/** Throws when the node answers neither that it has the spans nor that they are to be sent again. */
async function isAcknowledged({ name, url }: RoleProcess, body: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const headers = { 'content-type': 'application/x-protobuf', connection: 'close' };
  const options = { method: 'POST', headers, body, signal: AbortSignal.timeout(PATIENCE_MS) };
  const status = await fetch(`${url}/v1/traces`, options).then(
    async (reply) => (await reply.arrayBuffer(), reply.status),
    () => 503,
  );
  if (status !== 200 && status !== 503 && status !== 429) throw new Error(`${name} answers a request with ${status}`);
  return status === 200;
}

/** 503 where nobody answers in time. */
async function ask({ url }: RoleProcess, path: string): Promise<Answered> {
  const options = { headers: { connection: 'close' }, signal: AbortSignal.timeout(PATIENCE_MS) };
  return await fetch(url + path, options)
    .then(async (reply) => {
      const warnings = reply.headers.get('tracelith-warnings');
      return { status: reply.status, text: await reply.text(), warnings };
    })
    .catch((error: unknown) => ({ status: 503, text: String(error), warnings: null }));
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const own = join(path, entry.name);
    return entry.isDirectory() ? filesBelow(own) : [own];
  });
}

function flipByte(random: Random, path: string): void {
  const file = openSync(path, 'r+');
  const at = Math.floor(random() * statSync(path).size);
  const byte = new Uint8Array(1);
  readSync(file, byte, 0, 1, at);
  byte[0]! ^= 1 << Math.floor(random() * 8);
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}
