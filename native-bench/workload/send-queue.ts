// Spans waiting for their exporter to send them: a binary heap by (sendNs, order of arrival), so that equal times keep a
// deterministic order. It holds what a real system holds: the spans of open export intervals, and the late ones.
import type { GeneratedSpan } from './model.ts';

interface Waiting {
  readonly span: GeneratedSpan;
  readonly arrival: number;
}

export class SendQueue {
  readonly #heap: Waiting[] = [];
  #arrivals = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** When the next span is sent; Infinity when nothing waits. */
  get nextNs(): number {
    return this.#heap[0]?.span.sendNs ?? Infinity;
  }

  add(span: GeneratedSpan): void {
    const heap = this.#heap;
    const item = { span, arrival: this.#arrivals++ };
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !isBefore(item, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = item;
  }

  take(): GeneratedSpan {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) throw new Error('BUG: take from an empty send queue');
    if (heap.length > 0) this.#sink(last);
    return first.span;
  }

  #sink(item: Waiting): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = heap[at * 2 + 1];
      const right = heap[at * 2 + 2];
      if (left === undefined) break;
      const useRight = right !== undefined && isBefore(right, left);
      const child = useRight ? right : left;
      if (isBefore(item, child)) break;
      heap[at] = child;
      at = at * 2 + (useRight ? 2 : 1);
    }
    heap[at] = item;
  }
}

function isBefore(a: Waiting, b: Waiting): boolean {
  return a.span.sendNs < b.span.sendNs || (a.span.sendNs === b.span.sendNs && a.arrival < b.arrival);
}
