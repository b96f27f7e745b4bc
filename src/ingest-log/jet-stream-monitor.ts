// What the servers of NATS say of themselves on their monitoring ports (/varz). JetStream's answers do not say whether a server
// syncs before it acknowledges; by default it does so every two minutes, and a crash of several servers then loses what was
// acknowledged in between.
import type { StreamInfo } from '@nats-io/jetstream';

/** One server of a monitoring address. */
export interface ServerState {
  /** For people. */
  readonly address: string;
  /** undefined: it did not answer, or with something else, and has not for long. */
  readonly name: string | undefined;
  readonly syncsAlways: boolean;
}

/** What a server said last stands for so long while its monitoring does not answer: a busy one takes its time. */
const LAST_WORD_MS: number = 15 * 60_000;

/** The monitoring addresses, http://host:port, and what each said last. */
export class Monitors {
  readonly #addresses: readonly string[];
  readonly #known = new Map<string, { readonly state: ServerState; readonly atMs: number }>();
  readonly #lastWordMs: number;

  constructor(addresses: readonly string[], lastWordMs: number = LAST_WORD_MS) {
    this.#addresses = addresses;
    this.#lastWordMs = lastWordMs;
  }

  /** Asks each; never throws. */
  async ask(timeoutMs: number): Promise<ServerState[]> {
    return await Promise.all(this.#addresses.map((address) => this.#askOne(address, timeoutMs)));
  }

  async #askOne(address: string, timeoutMs: number): Promise<ServerState> {
    const state = await askMonitor(address, timeoutMs);
    const nowMs = performance.now();
    if (state.name !== undefined) {
      this.#known.set(address, { state, atMs: nowMs });
      return state;
    }
    const known = this.#known.get(address);
    return known !== undefined && nowMs - known.atMs <= this.#lastWordMs ? known.state : state;
  }
}

interface Varz {
  readonly server_name?: unknown;
  readonly jetstream?: { readonly config?: { readonly sync_always?: unknown } };
}

async function askMonitor(address: string, timeoutMs: number): Promise<ServerState> {
  try {
    const answer = await fetch(new URL('/varz', address), { signal: AbortSignal.timeout(timeoutMs) });
    const { server_name: name, jetstream } = (await answer.json()) as Varz;
    const syncsAlways = jetstream?.config?.sync_always === true;
    return { address, name: typeof name === 'string' ? name : undefined, syncsAlways };
  } catch {
    // What cannot be asked is reported by fsyncProblems.
    return { address, name: undefined, syncsAlways: false };
  }
}

/**
 * For people: the servers with a replica of one of the streams that sync too late, or of which nothing proves that they do not.
 * One that the log itself counts as away is passed over: it acknowledges nothing until it is back.
 */
export function fsyncProblems(streams: readonly StreamInfo[], servers: readonly ServerState[]): string[] {
  const silent = servers.filter(({ name }) => name === undefined).map(({ address }) => address);
  const states = new Map(servers.map((server) => [server.name, server]));
  const names = serversOf(streams);
  const problems = names.length === 0 ? ['the streams do not name the servers of their replicas; upgrade NATS'] : [];
  for (const name of names) {
    const state = states.get(name);
    if (state?.syncsAlways === true) continue;
    const remedy =
      state === undefined
        ? `no monitoring address proves that it syncs${silent.length === 0 ? '' : ` (${silent.join(', ')} do not answer)`}; name them all in -ingestLog.monitor`
        : 'it does not sync before it acknowledges; set jetstream { sync_interval: always }';
    problems.push(`server ${name}: ${remedy}`);
  }
  return problems;
}

/** Names of the servers that hold replicas and are there, sorted. */
function serversOf(streams: readonly StreamInfo[]): string[] {
  const names = new Set<string>();
  for (const { cluster } of streams) {
    // A server that runs alone names no leader on some versions.
    if (cluster?.leader !== undefined) names.add(cluster.leader);
    for (const { name, offline = false } of cluster?.replicas ?? []) if (!offline) names.add(name);
  }
  return [...names].sort();
}
