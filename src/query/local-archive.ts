// The TraceArchive of a node with its own store. It archives the answer of a query by id, so archiving a trace again keeps
// the spans archived before and adds newer ones.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ArchiveFolder } from '../archive/archive-folder.ts';
import { decodeArchivedTrace } from '../archive/archived-trace.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { DiskReads } from '../disk/disk.ts';
import { Serial } from '../partition/serial.ts';
import type { CallContext } from '../trace/call-context.ts';
import type { ArchiveEraser, Marked, SpanSelection, TraceArchive, TraceReader } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import { withoutSelected } from './without-selected.ts';

export interface LocalArchiveOptions {
  readonly folder: ArchiveFolder;
  readonly disk: DiskReads;
  /** Its findTraces also reads the archive. */
  readonly reader: Pick<TraceReader, 'findTraces'>;
}

export class LocalArchive implements TraceArchive, ArchiveEraser {
  readonly #options: LocalArchiveOptions;
  /** One archiving at a time: each reads a trace and then writes it, so an overlap could write an older state last. */
  readonly #serial = new Serial();

  constructor(options: LocalArchiveOptions) {
    this.#options = options;
  }

  isArchived({ tenant }: CallContext, traceId: Uint8Array): Promise<boolean> {
    return Promise.resolve(this.#options.folder.find(tenant, traceId) !== undefined);
  }

  archiveTrace(call: CallContext, traceId: Uint8Array): Promise<Marked & { readonly isFound: boolean }> {
    const { folder, reader } = this.#options;
    return this.#serial.run(async () => {
      const { traces, warnings } = await reader.findTraces(call, [traceId]);
      const [trace] = traces;
      if (trace !== undefined) await folder.put(call.tenant, trace, warnings);
      return { isFound: trace !== undefined, warnings };
    });
  }

  deleteArchived({ tenant }: CallContext, traceId: Uint8Array): Promise<boolean> {
    return this.#serial.run(async () => this.#options.folder.delete(tenant, traceId));
  }

  /** As ArchiveEraser.erase. One trace after the other: others are archived and served in between. */
  async erase(call: CallContext, selection: SpanSelection): Promise<number> {
    const { folder } = this.#options;
    let spans = 0;
    const ids = 'traceIds' in selection ? selection.traceIds : folder.list(call.tenant);
    for (const traceId of ids) {
      if (call.signal?.aborted === true) return spans;
      spans += await this.#serial.run(() => this.#eraseOf(call.tenant, traceId, selection));
      await nextTurn();
    }
    return spans;
  }

  async #eraseOf(tenant: Tenant, traceId: Uint8Array, selection: SpanSelection): Promise<number> {
    const { folder, disk } = this.#options;
    const path = folder.find(tenant, traceId);
    if (path === undefined) return 0;
    const { trace } = decodeArchivedTrace(readWholeFile(disk, path), path);
    const { left, spans } = withoutSelected(tenant, trace.otlp, selection);
    if (left === undefined) folder.delete(tenant, traceId);
    else if (spans > 0) await folder.put(tenant, { traceId, otlp: left });
    return spans;
  }

  purge(): Promise<void> {
    return this.#serial.run(async () => this.#options.folder.deleteAll());
  }

  /** Resolves when all writes have ended. */
  async close(): Promise<void> {
    await this.#serial.idle();
  }
}
