// A cluster of processes for the metamorphic runner: its nodes are flushed, merged, ended and started again between the questions.
import { TemporaryFolder } from '../storage/open-store.ts';
import type { FakeClock } from './fake-clock.ts';
import { textOf, type Questions } from './store-answers.ts';
import { ClusterStore } from './cluster-store.ts';
import { LocalStore, type AskedStore } from './asked-store.ts';
import type { Subject, Written } from './local-subject.ts';
import type { Random } from './random-request.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import type { Role } from '../../native-bench/harness/cluster.ts';

const MINUTE_NS = 60_000_000_000n;

export class ClusterSubject implements Subject {
  readonly #store: ClusterStore;
  readonly #requests: readonly Written[];
  readonly #random: Random;

  private constructor(store: ClusterStore, requests: readonly Written[], random: Random) {
    this.#store = store;
    this.#requests = requests;
    this.#random = random;
  }

  /** `requests`: what may be sent again. */
  static async open(requests: readonly Written[], random: Random): Promise<ClusterSubject> {
    return new ClusterSubject(await ClusterStore.open(), requests, random);
  }

  readonly steps: Subject['steps'] = {
    flush: () => this.#store.flush(),
    merge: () => this.#store.merge(),
    'send again': async () => {
      const { tenant, body } = this.#pick(this.#requests);
      await this.#store.write(tenant, body.slice());
    },
    'restart a storage node': () => this.#restart('storage', 'SIGTERM'),
    'kill a storage node': () => this.#restart('storage', 'SIGKILL'),
    'kill a select node': () => this.#restart('select', 'SIGKILL'),
    'kill an insert node': () => this.#restart('insert', 'SIGKILL'),
  };

  async write(tenant: Tenant, body: Uint8Array): Promise<void> {
    await this.#store.write(tenant, body);
  }

  answers(questions: Questions): Promise<Map<string, string>> {
    return answersOf(this.#store, questions);
  }

  async #restart(role: Role, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#store.restart(this.#pick(this.#store.cluster.of(role)), signal);
    await this.#store.whole();
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}

/** A store in this process, asked as the cluster is: its answers are what the cluster's must be. */
export class PlainSubject implements Subject {
  readonly steps = {};
  readonly #folder = new TemporaryFolder();
  readonly #store: LocalStore;

  constructor(clock: FakeClock) {
    this.#store = new LocalStore(this.#folder.path, clock);
  }

  async write(tenant: Tenant, body: Uint8Array): Promise<void> {
    await this.#store.write(tenant, body);
  }

  answers(questions: Questions): Promise<Map<string, string>> {
    return answersOf(this.#store, questions);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

/** Answer by question, both as text. */
async function answersOf(store: AskedStore, questions: Questions): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  for (const tenant of questions.tenants) {
    const say = (what: string, answer: unknown): void => void answers.set(`${tenant} ${what}`, textOf(answer));
    const services = await store.listServices(tenant);
    say('services', services);
    for (const service of services) say(`operations of ${service}`, await store.listOperations(tenant, service));
    for (const [id, otlp] of await store.findTraces(tenant, questions.traceIds)) say(`trace ${id}`, otlp);
    for (const query of questions.searches) say(`search ${textOf(query)}`, await store.searchIds(tenant, query));
    for (const [startNs, endNs] of questions.windows) {
      say(`dependencies ${startNs} ${endNs}`, await store.listDependencies(tenant, startNs, endNs));
      const query = { services, kinds: [], startNs, endNs, isByOperation: startNs % (2n * MINUTE_NS) === 0n };
      say(`calls ${startNs} ${endNs}`, await store.listCallSeries(tenant, query));
    }
  }
  return answers;
}
