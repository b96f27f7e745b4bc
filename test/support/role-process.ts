// A process of a cluster: the real program in any role, on ports that stay through its restarts. Black box, as node-process.ts.
// Waits are long: several processes start on a machine that may have two busy cores.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { launcher } from '../../native-bench/harness/node-process.ts';

const WAIT_MS = 120_000;
const POLL_MS = 20;
/** Every other listener is off, because a test reaches a role by its HTTP port; and a busy machine is not taken for a hang. */
const OFF = ['-otlpGRPCListenAddr=', '-otlpHTTPListenAddr=', '-grpc.listenAddr=', '-stallTimeout=2m'];

/** See inFront. */
export const AS_NODE = '-storage.listenAddr=';

export type Role = 'storage' | 'insert' | 'select' | 'single';

export class RoleProcess implements AsyncDisposable {
  readonly name: string;
  readonly url: string;
  /** For -storageNode. */
  readonly address: string;
  #command: readonly string[];
  readonly #dataPath: string | undefined;
  readonly #through: readonly string[];
  #child: Child | undefined;
  #isStopped = false;
  #earlierLog = '';

  private constructor(
    name: string,
    ports: readonly [number, number],
    args: readonly string[],
    { dataPath, through = [] }: { readonly dataPath?: string | undefined; readonly through?: readonly string[] } = {},
  ) {
    this.name = name;
    this.url = `http://127.0.0.1:${ports[0]}`;
    this.address = `127.0.0.1:${ports[1]}`;
    this.#through = through;
    this.#command = [launcher, `-httpListenAddr=127.0.0.1:${ports[0]}`, ...OFF, ...args];
    this.#dataPath = dataPath;
  }

  /** A storage node called `name`, or a single node without that listener. Not started yet. Data in `kept` stay. */
  static async storing(
    name: string,
    isSingle = false,
    flags: readonly string[] = [],
    kept?: string,
  ): Promise<RoleProcess> {
    const ports = [await findFreePort(), await findFreePort()] as const;
    const dataPath = kept ?? mkdtempSync(join(tmpdir(), `tracelith-${name}-`));
    const role = isSingle ? [] : [`-storage.listenAddr=127.0.0.1:${ports[1]}`, `-storageNode.name=${name}`];
    return new RoleProcess(name, ports, [`-storageDataPath=${dataPath}`, ...role, ...flags], {
      dataPath: kept === undefined ? dataPath : undefined,
    });
  }

  /**
   * An insert or select node in front of `nodes`, as -storageNode has them; `through` starts the program. With the flag AS_NODE it
   * can be named as a storage node itself. Not started yet.
   */
  static async inFront(
    role: 'insert' | 'select',
    nodes: string,
    flags: readonly string[] = [],
    through: readonly string[] = [],
  ): Promise<RoleProcess> {
    const ports = [await findFreePort(), await findFreePort()] as const;
    const off = role === 'insert' ? '-select.disable' : '-insert.disable';
    const own = flags.map((flag) => (flag === AS_NODE ? `${AS_NODE}127.0.0.1:${ports[1]}` : flag));
    return new RoleProcess(role, ports, [`-storageNode=${nodes}`, off, ...own], { through });
  }

  /** A process that `through` and `flags` alone give a role. Not started yet. */
  static async withFlags(flags: readonly string[], through: readonly string[] = []): Promise<RoleProcess> {
    return new RoleProcess('node', [await findFreePort(), await findFreePort()], flags, { through });
  }

  /** From the next start on. */
  addFlags(flags: readonly string[]): void {
    this.#command = [...this.#command, ...flags];
  }

  get pid(): number {
    return this.#child!.pid;
  }

  /** Its resident memory (Linux). */
  get residentBytes(): number {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
    return Number(kib) * 1_024;
  }

  /** Of a stopped storage node: as if its disk were lost and another one had come. */
  loseDisk(): void {
    if (this.#dataPath === undefined || this.isRunning) throw new Error(`${this.name} has no disk to lose now`);
    rmSync(this.#dataPath, { recursive: true, force: true });
  }

  get isRunning(): boolean {
    return this.#child?.isRunning === true;
  }

  /** Everything printed so far. */
  log(): string {
    return this.#earlierLog + (this.#child?.output ?? '');
  }

  /** Resolves when the process says that it is ready. `through` starts the program this time. */
  async start(through: readonly string[] = this.#through): Promise<this> {
    const [program = launcher, ...args] = [...through, ...this.#command];
    const child = await Child.start(program, args);
    this.#child = child;
    await waitFor(`the start of ${this.name}`, () => !child.isRunning || child.output.includes('tracelith is ready'));
    if (!child.isRunning) throw new Error(`${this.name} did not start:\n${child.output}`);
    return this;
  }

  /** Sends the signal; of one that ends the process, resolves when it has ended. */
  async signal(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const child = this.#child!;
    process.kill(child.pid, signal);
    this.#isStopped = signal === 'SIGSTOP';
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') return;
    await waitFor(`the end of ${this.name}`, () => !child.isRunning);
    this.#earlierLog += child.output;
    await child.stop();
    this.#child = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning && this.#isStopped) await this.signal('SIGCONT');
    if (this.isRunning) await this.signal('SIGKILL');
    if (this.#dataPath !== undefined) rmSync(this.#dataPath, { recursive: true, force: true });
  }
}

export async function waitFor(what: string, isDone: () => boolean | Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; !(await isDone()); waitedMs += POLL_MS) {
    if (waitedMs > WAIT_MS) throw new Error(`waited in vain for ${what}`);
    await delay(POLL_MS);
  }
}
