// The TraceArchive of a node with its own store. It archives the answer of a query by id, so archiving a trace again keeps
// the spans archived before and adds newer ones.
import { Serial } from '../partition/serial.ts';
import type { ArchiveFolder } from '../archive/archive-folder.ts';
import type { CallContext } from '../trace/call-context.ts';
import type { Marked, TraceArchive, TraceReader } from '../trace/store.ts';

export interface LocalArchiveOptions {
  readonly folder: ArchiveFolder;
  /** Its findTraces also reads the archive. */
  readonly reader: Pick<TraceReader, 'findTraces'>;
}

export class LocalArchive implements TraceArchive {
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

  purge(): Promise<void> {
    return this.#serial.run(async () => this.#options.folder.deleteAll());
  }

  /** Resolves when all writes have ended. */
  async close(): Promise<void> {
    await this.#serial.idle();
  }
}
