// Load through a proxy that goes on until it is told to stop, and counts what failed.
import { expect } from 'vitest';
import type { Proxy } from '../../native-bench/harness/proxy.ts';
import type { TestNode } from './node-process.ts';

/** A node as its clients see it through the proxy. */
export function through(proxy: Proxy): TestNode {
  return proxy as unknown as TestNode;
}

/** Repeats `action` until it is told to stop; remembers what failed. */
export class Repeated {
  readonly failures: string[] = [];
  count = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(action: (n: number) => Promise<unknown>) {
    this.#running = (async (): Promise<void> => {
      for (; !this.#isOver; this.count++)
        await action(this.count).catch((error: unknown) => this.failures.push(String(error)));
    })();
  }

  /** Resolves when it has run `more` times more. */
  async runs(more: number): Promise<void> {
    const wanted = this.count + more;
    await expect.poll(() => this.count, { timeout: 30_000, interval: 5 }).toBeGreaterThanOrEqual(wanted);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}
