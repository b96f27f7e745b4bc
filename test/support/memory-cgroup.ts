// A control group of its own with a limit on memory, as a container has: version 1 or 2, where this machine lets a test make one.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

const V1 = '/sys/fs/cgroup/memory';
const V2 = '/sys/fs/cgroup';

export class MemoryCgroup implements Disposable {
  readonly #path: string;
  readonly #isV1: boolean;

  /** Throws an errno when the machine does not let this process make one. */
  constructor(bytesMax: number) {
    this.#isV1 = existsSync(join(V1, 'memory.limit_in_bytes'));
    this.#path = join(this.#isV1 ? V1 : V2, `tracelith-test-${randomUUID()}`);
    mkdirSync(this.#path);
    try {
      writeFileSync(join(this.#path, this.#isV1 ? 'memory.limit_in_bytes' : 'memory.max'), `${bytesMax}`);
    } catch (error) {
      rmdirSync(this.#path);
      throw error;
    }
  }

  /** The command behind which a program is started inside: NodeOptions.through. */
  get through(): string[] {
    return ['sh', '-c', `echo $$ > ${this.#path}/cgroup.procs && exec "$@"`, 'sh'];
  }

  /** Processes that the kernel ended because the group had no memory left. */
  get killed(): number {
    const text = readFileSync(join(this.#path, this.#isV1 ? 'memory.oom_control' : 'memory.events'), 'utf8');
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1]);
  }

  /** Its processes must have ended. */
  [Symbol.dispose](): void {
    rmdirSync(this.#path);
  }
}

/** Whether tests can make control groups here. */
export function canLimitMemory(): boolean {
  try {
    using _group = new MemoryCgroup(2 ** 30);
    return true;
  } catch {
    // Not Linux, not root, or the hierarchy is read-only or delegated without memory.
    return false;
  }
}
