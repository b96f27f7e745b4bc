// Child processes of a measurement: started with a deadline, their last output kept for the error message, and always stopped:
// by stop(), or by the exit of this process.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

const outputCharsMax = 64_000;
const stopTimeoutMs = 30_000;

export class Child {
  readonly pid: number;
  readonly #process: ChildProcess;
  #output = '';

  private constructor(child: ChildProcess, pid: number) {
    this.#process = child;
    this.pid = pid;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-outputCharsMax);
      });
    }
  }

  /** Starts `program` with `args`; stdin is closed, output is collected. */
  static async start(program: string, args: readonly string[]): Promise<Child> {
    const spawned = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    await once(spawned, 'spawn');
    const kill = (): boolean => spawned.kill('SIGKILL');
    process.prependOnceListener('exit', kill); // before whoever removes the files it writes
    spawned.once('exit', () => process.removeListener('exit', kill));
    return new Child(spawned, spawned.pid ?? -1);
  }

  /** The last of what it printed. */
  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** SIGKILL, as a crash would end it. */
  async kill(): Promise<void> {
    if (!this.isRunning) return;
    const left = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await left;
  }

  /** SIGTERM, then SIGKILL when it does not leave in time. Returns the exit code, undefined when killed. */
  async stop(): Promise<number | undefined> {
    if (!this.isRunning) return this.#process.exitCode ?? undefined;
    const left = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), stopTimeoutMs);
    await left;
    clearTimeout(timer);
    return this.#process.exitCode ?? undefined;
  }
}

/** Ports that no system gives to connections and listeners by itself (Linux: from 32,768 on), above those of our flags and Jaeger's. */
const PORTS = { from: 18_000, to: 32_000 } as const;

/** A port that was free a moment ago, on the loopback interface, and stays so unless another caller draws it. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
