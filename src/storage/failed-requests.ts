// Requests that met a bug of ours while they were scanned: each fails and is logged alone, and the store goes on. On demand a
// few of their bodies are kept in quarantine/ to find the bug; only a few, because they hold users' data.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isStoreError, StoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Disk } from '../disk/disk.ts';
import { quarantineBytes } from '../quarantine/quarantine.ts';
import type { FailedRequest } from './group-commit.ts';

/** Bodies kept since the start. A second failed request is usually caused by the same bug. */
const KEPT_MAX = 16;

export interface FailedRequestsOptions {
  /** The data directory. */
  readonly path: string;
  readonly disk: Disk;
  readonly logger: Logger;
  /** -debug.keepFailedRequests */
  readonly keepFailedRequests?: boolean;
}

export class FailedRequests {
  readonly #options: FailedRequestsOptions;
  #count = 0;
  #kept = 0;

  constructor(options: FailedRequestsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** Logs `failed`, keeps its body if configured, and returns the error for its sender. */
  report(failed: FailedRequest): StoreError {
    this.#count++;
    const { tenant, body, error } = failed;
    const name = `request-${randomBytes(8).toString('hex')}`;
    const kept = this.#keep(name, failed);
    this.#options.logger.error('BUG: a request failed alone, nothing of it is stored', {
      tenant,
      bytes: body.length,
      ...kept,
      error,
    });
    const text = `the request ${name} met a bug of this server: nothing of it is stored, the log says more`;
    return new StoreError('BUG', `${text}; please report it`, { cause: error });
  }

  #keep(name: string, { tenant, body, error }: FailedRequest): { name: string; kept?: unknown } {
    const { path, disk, keepFailedRequests = false } = this.#options;
    if (!keepFailedRequests || this.#kept === KEPT_MAX) return { name };
    try {
      const note = `an OTLP request of tenant ${tenant} that met a bug: ${error instanceof Error ? error.stack : String(error)}`;
      quarantineBytes(disk, join(path, 'quarantine'), { name: `${name}-0`, bytes: body, note });
      this.#kept++;
      return { name, kept: `quarantine/${name}-0` };
    } catch (refused) {
      if (!isStoreError(refused)) throw refused;
      return { name, kept: refused };
    }
  }
}
