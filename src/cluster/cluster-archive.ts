// The TraceArchive of a select node. Each storage node archives what it has of a trace, so that together they keep the whole; a
// reader joins the pieces as it does anyway. All nodes must answer: half of a trace is not archived in silence.
import { StoreError } from '../base/errors.ts';
import type { CallContext } from '../trace/call-context.ts';
import type { Marked, TraceArchive } from '../trace/store.ts';
import { askNodes, type AskNode } from './ask-nodes.ts';
import { deadlineAfter, leftMs } from '../trace/call-context.ts';
import type { StorageNodes } from './storage-nodes.ts';

export interface ClusterArchiveOptions {
  readonly nodes: Pick<StorageNodes, 'all'>;
  /** Time for one question, ms. */
  readonly durationMaxMs: number;
}

export class ClusterArchive implements TraceArchive {
  readonly #options: ClusterArchiveOptions;

  constructor(options: ClusterArchiveOptions) {
    this.#options = options;
  }

  async isArchived(call: CallContext, traceId: Uint8Array): Promise<boolean> {
    return (await this.#ask(call, (store, asked) => store.isArchived(asked, traceId))).includes(true);
  }

  async archiveTrace(call: CallContext, traceId: Uint8Array): Promise<Marked & { readonly isFound: boolean }> {
    const all = await this.#ask(call, (store, asked) => store.archiveTrace(asked, traceId));
    return {
      isFound: all.some(({ isFound }) => isFound),
      warnings: [...new Set(all.flatMap(({ warnings }) => warnings))],
    };
  }

  async deleteArchived(call: CallContext, traceId: Uint8Array): Promise<boolean> {
    return (await this.#ask(call, (store, asked) => store.deleteArchived(asked, traceId))).includes(true);
  }

  /** Only a node itself removes all that it keeps. */
  purge(): Promise<void> {
    throw new StoreError('DISABLED', 'archives are purged on each storage node');
  }

  async #ask<T>(call: CallContext, ask: AskNode<T>): Promise<readonly T[]> {
    const { nodes, durationMaxMs } = this.#options;
    const deadlineNs = deadlineAfter(Math.min(durationMaxMs, leftMs(call)));
    const { answers } = await askNodes(nodes.all, { ...call, deadlineNs, allowsPartial: false }, ask);
    return answers.map(({ answer }) => answer);
  }
}
