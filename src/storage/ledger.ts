// Accounts for every span: received = stored + rejected{reason}. A request is entered in one step when it is answered, so the
// sum holds at every moment. A request that fails as a whole (malformed, or the disk refused it) enters no spans: its sender
// was told that none of it is stored.
import type { RejectReason, StoreStats, WriteResult } from '../trace/store.ts';

type LedgerStats = Pick<
  StoreStats,
  'rowsReceived' | 'rowsStored' | 'rowsRejected' | 'requestsMalformed' | 'bytesReceived'
>;

export class Ledger {
  #rowsReceived = 0;
  #rowsStored = 0;
  readonly #rowsRejected = new Map<RejectReason, number>();
  #requestsMalformed = 0;
  #bytesReceived = 0;

  /** A request of `sizeBytes` was answered with `result`. */
  addAnswered(result: WriteResult, sizeBytes: number): void {
    this.#rowsReceived += result.stored;
    this.#rowsStored += result.stored;
    this.#bytesReceived += sizeBytes;
    for (const [reason, rows] of result.rejected) {
      this.#rowsReceived += rows;
      this.#rowsRejected.set(reason, (this.#rowsRejected.get(reason) ?? 0) + rows);
    }
  }

  /** A request was refused because it does not parse. */
  addMalformed(): void {
    this.#requestsMalformed++;
  }

  stats(): LedgerStats {
    return {
      rowsReceived: this.#rowsReceived,
      rowsStored: this.#rowsStored,
      rowsRejected: Object.fromEntries(this.#rowsRejected),
      requestsMalformed: this.#requestsMalformed,
      bytesReceived: this.#bytesReceived,
    };
  }
}
