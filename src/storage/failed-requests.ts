// Requests that met a bug of ours while they were scanned: each is answered and logged alone, the store goes on. On demand
// their bodies are kept aside in quarantine/, so that the bug can be found: a few, for they hold what users sent.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isStoreError, StoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Disk } from '../disk/disk.ts';
import { quarantineBytes } from '../quarantine/quarantine.ts';
import type { FailedRequest } from './group-commit.ts';

/** Since the start: the second is most often the same bug. */
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

  /** Logs `failed`, and keeps it aside where that is wanted; gives what its sender is told. */
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
