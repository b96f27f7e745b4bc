// autocannon 9, which brings no types: the part of it that queries.ts uses, typed here.
import { createRequire } from 'node:module';

export interface AutocannonRequest {
  readonly path?: string;
  /** Called for each request just before it is written; `context` is a fresh object for each round through the list. */
  setupRequest?(request: AutocannonRequest, context: Record<string, unknown>): AutocannonRequest;
  onResponse?(status: number, body: string, context: Record<string, unknown>): void;
}

export interface AutocannonOptions {
  readonly url: string;
  readonly connections: number;
  /** Seconds. */
  readonly duration: number;
  /** Milliseconds between looks at the clock: the resolution of `duration`. */
  readonly sampleInt: number;
  /** Seconds without an answer. */
  readonly timeout: number;
  readonly requests: readonly AutocannonRequest[];
}

export interface AutocannonRun extends Promise<{ readonly errors: number; readonly timeouts: number }> {
  on(event: 'response', listener: (client: unknown, status: number, bytes: number, ms: number) => void): void;
  on(event: 'reqError', listener: (error: Error) => void): void;
  stop(): void;
}

export const autocannon = createRequire(import.meta.url)('autocannon') as (options: AutocannonOptions) => AutocannonRun;
