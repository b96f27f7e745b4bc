// The real program as a child process on a data directory and ports of its own: what a user starts with `npm start`.
// It is black box: everything a test learns comes from its sockets, its log, its exit code and /proc. Never outlives its test.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Child } from '../../native-bench/harness/child.ts';
import { launcher } from '../../native-bench/harness/node-process.ts';
import { ClusterFront, isThroughCluster } from './cluster-front.ts';

const LISTENERS = ['-httpListenAddr', '-otlpGRPCListenAddr', '-grpc.listenAddr', '-otlpHTTPListenAddr'];
const waitMs = 50_000;
const pollMs = 5;

export interface NodeOptions {
  /** A temporary directory of its own, removed at the end, when absent. */
  readonly dataPath?: string;
  readonly flags?: readonly string[];
  /** Ports of the listeners in the order of LISTENERS, the same after each start; any free port where there is none. */
  readonly ports?: readonly number[];
  /** A command that starts the program, which comes behind it: ['env', 'NAME=value']. */
  readonly through?: readonly string[];
  /** Another program than this checkout's. */
  readonly program?: string;
  /** It serves HTTP over TLS; default: if -tls is among the flags. */
  readonly isTls?: boolean;
}

/** So many files and sockets the program may open. */
export function withOpenFiles(most: number): string[] {
  return ['sh', '-c', `ulimit -n ${most} && exec "$@"`, 'sh'];
}

/** What a process that ends by itself printed and returned. */
export interface Ended {
  readonly exitCode: number | undefined;
  readonly output: string;
}

/** Runs the program with `args` until it ends. Throws when it is still there after 20 s. */
export async function runProgram(
  args: readonly string[],
  through: readonly string[] = [],
  named: string = launcher,
): Promise<Ended> {
  const [program, ...before] = [...through, named];
  const child = await Child.start(program, [...before, ...args]);
  await waitFor(`the end of ${args.join(' ')}`, () => !child.isRunning).finally(() => kill(child, 'SIGKILL'));
  return { exitCode: await child.stop(), output: child.output };
}

export class TestNode implements AsyncDisposable {
  readonly dataPath: string;
  #flags: readonly string[];
  readonly #command: readonly string[];
  readonly #ports: readonly number[];
  readonly #isOwnPath: boolean;
  readonly #isTls: boolean | undefined;
  #child: Child | undefined;
  #earlierLog = '';
  /** http://127.0.0.1:PORT, another one after each start. */
  url = '';
  /** 127.0.0.1:PORT, another one after each start. */
  grpcAddress = '';
  /** Jaeger's gRPC APIs: 127.0.0.1:PORT, another one after each start. */
  jaegerAddress = '';
  /** OTLP over HTTP alone: http://127.0.0.1:PORT, another one after each start. */
  otlpUrl = '';

  constructor(options: NodeOptions) {
    this.#isOwnPath = options.dataPath === undefined;
    this.dataPath = options.dataPath ?? mkdtempSync(join(tmpdir(), 'tracelith-node-'));
    this.#flags = options.flags ?? [];
    this.#ports = options.ports ?? [];
    this.#isTls = options.isTls;
    this.#command = [...(options.through ?? []), options.program ?? launcher];
  }

  get pid(): number {
    return this.#running().pid;
  }

  get httpPort(): number {
    return Number(new URL(this.url).port);
  }

  /** Everything printed so far, by all processes of this node. */
  log(): string {
    return this.#earlierLog + (this.#child?.output ?? '');
  }

  /** Resolves when /health answers 200. Throws with the log when the process ends or is not ready in time. */
  async start(): Promise<void> {
    const addresses = LISTENERS.map((flag, i) => `${flag}=127.0.0.1:${this.#ports[i] ?? 0}`);
    const args = [`-storageDataPath=${this.dataPath}`, ...addresses, ...this.#flags];
    const [program = launcher, ...before] = this.#command;
    const child = await Child.start(program, [...before, ...args]);
    this.#child = child;
    // As text or as JSON.
    const address = (name: string): string => String.raw`\b${name}"?[=:]"?([^\s",]+).*`;
    const names = ['http', 'otlpGrpc', 'grpc', 'otlpHttp'];
    const ready = new RegExp(`tracelith is ready.*${names.map(address).join('')}`);
    await waitFor('the start line', () => !child.isRunning || ready.test(child.output));
    const [, http, grpc, jaeger, otlp] = ready.exec(child.output) ?? [];
    if (http === undefined || grpc === undefined || jaeger === undefined)
      throw new Error(`the node did not start:\n${child.output}`);
    const isTls = this.#isTls ?? this.#flags.includes('-tls');
    this.url = `http${isTls ? 's' : ''}://${http}`;
    this.grpcAddress = grpc;
    this.jaegerAddress = jaeger;
    this.otlpUrl = `http://${otlp}`;
    // The test has the certificates that a client needs.
    if (isTls) return;
    const prefix = this.#flags.find((flag) => flag.startsWith('-http.pathPrefix='))?.split('=')[1] ?? '';
    const health = await fetch(`${this.url}${prefix}/health`);
    if ((await health.text()) !== 'OK') throw new Error(`/health said ${health.status} after the start line`);
  }

  /** Sends `signal` and waits for the end. Returns the exit code, undefined when the signal itself ended it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | undefined> {
    kill(this.#running(), signal);
    return await this.ended(signal);
  }

  /** Waits until the process has ended by itself. Returns as stop(). */
  async ended(why = 'nothing'): Promise<number | undefined> {
    const child = this.#running();
    await waitFor(`the end after ${why}`, () => !child.isRunning);
    this.#earlierLog += child.output;
    this.#child = undefined;
    return await child.stop();
  }

  /** The process is gone at once, without a chance to write anything. */
  async kill9(): Promise<void> {
    await this.stop('SIGKILL');
  }

  /** Ends the process with `signal` and starts another one on the same directory; with `flags` instead of its own, if given. */
  async restart(signal: NodeJS.Signals = 'SIGTERM', flags?: readonly string[]): Promise<void> {
    await this.stop(signal);
    if (flags !== undefined) this.#flags = flags;
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined) await this.kill9();
    if (this.#isOwnPath) rmSync(this.dataPath, { recursive: true, force: true });
  }

  #running(): Child {
    if (this.#child === undefined) throw new Error('the node is not running');
    return this.#child;
  }
}

/**
 * Starts the real program. Bind it with `await using`, or dispose it in afterAll. In the projects `cluster…` of vitest.config.ts a
 * node without options of its own is a whole cluster with a node beside it, whose answers are compared.
 */
export async function startNode(options: NodeOptions = {}): Promise<TestNode> {
  const node = new TestNode(options);
  try {
    await node.start();
    const isOwn = Object.keys(options).length > 0;
    return isThroughCluster && !isOwn ? ((await ClusterFront.open(node)) as unknown as TestNode) : node;
  } catch (error) {
    await node[Symbol.asyncDispose]();
    throw error;
  }
}

function kill(child: Child, signal: NodeJS.Signals): void {
  if (child.isRunning) process.kill(child.pid, signal);
}

async function waitFor(what: string, isDone: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + waitMs;
  while (!isDone()) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${waitMs} ms in vain for ${what}`);
    await delay(pollMs);
  }
}
