// One question to every node at once. A node that does not answer is asked again on another connection when half of the time is
// over, or at once when the first connection failed. What then follows is the caller's choice: without a partial answer the
// question fails with the node's name; with one, the answer names the node as missing. No answer at all is always a failure.
import { isStoreError, StoreError, type StoreErrorCode } from '../base/errors.ts';
import { deadlineAfter, leftMs, type CallContext } from '../trace/call-context.ts';
import type { Missing } from '../trace/store.ts';
import { NoAnswer } from './grpc-caller.ts';
import type { RemoteStore } from './remote-store.ts';
import type { StorageNode } from './storage-node.ts';

/** Failures of a node that say nothing against the question. Others are the question's own, and fail it. */
const NODE_FAILURES: ReadonlySet<StoreErrorCode> = new Set<StoreErrorCode>([
  'UNAVAILABLE',
  // This process may not ask the node: a token that is wrong there says nothing against the question.
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'OVERLOADED',
  'TIMEOUT',
  'DISK',
  'FORMAT_TOO_NEW',
  'CORRUPTION',
  'WORKER_FAILED',
  'BUG',
]);

export interface NodeAnswer<T> {
  readonly node: StorageNode;
  readonly answer: T;
}

export interface Answers<T> {
  readonly answers: readonly NodeAnswer<T>[];
  readonly missing: readonly Missing[];
}

export type AskNode<T> = (store: RemoteStore, call: CallContext) => Promise<T>;

/** Throws UNAVAILABLE, naming the nodes that did not answer; what a node says against the question; CANCELLED. */
export async function askNodes<T>(
  nodes: readonly StorageNode[],
  call: CallContext,
  ask: AskNode<T>,
): Promise<Answers<T>> {
  if (nodes.length === 0) throw new StoreError('UNAVAILABLE', 'no storage node is known (-storageNode); try again');
  const allowsPartial = call.allowsPartial ?? false;
  const others = new AbortController();
  const missing: Missing[] = [];
  const answers: NodeAnswer<T>[] = [];
  const asked = nodes.map(async (node) => {
    try {
      answers.push({ node, answer: await askNode(node, withSignal(call, others.signal), ask) });
    } catch (error) {
      if (!isStoreError(error) || !NODE_FAILURES.has(error.code) || call.signal?.aborted === true) throw error;
      missing.push({ node: node.shownName, reason: error.message });
      if (!allowsPartial) throw unanswered(missing);
    }
  });
  try {
    await Promise.all(asked);
  } catch (error) {
    others.abort();
    await Promise.allSettled(asked);
    throw error;
  }
  if (answers.length === 0) throw unanswered(missing);
  return { answers, missing: missing.sort((x, y) => (x.node < y.node ? -1 : 1)) };
}

function unanswered(missing: readonly Missing[]): StoreError {
  const nodes = missing.map(({ node, reason }) => `${node} (${reason})`).join(', ');
  const remedy = 'try again, or allow an answer without it (allow_partial_response=1, -search.allowPartialResponse)';
  return new StoreError('UNAVAILABLE', `storage node ${nodes} does not answer; ${remedy}`);
}

async function askNode<T>(node: StorageNode, call: CallContext, ask: AskNode<T>): Promise<T> {
  if (!node.isUp) throw new StoreError('UNAVAILABLE', node.reason);
  const watched = withSignal(call, node.downSignal);
  const left = leftMs(call);
  const first = Number.isFinite(left) ? { ...watched, deadlineNs: deadlineAfter(left / 2) } : watched;
  try {
    return await ask(node.store, first);
  } catch (error) {
    checkDown(node, error);
    if (!(error instanceof NoAnswer) || call.signal?.aborted === true) throw error;
  }
  try {
    return await ask(node.repeat, watched);
  } catch (error) {
    checkDown(node, error);
    throw error;
  }
}

/** A call that was ended because its node went down failed for that reason. */
function checkDown({ downSignal, reason }: StorageNode, error: unknown): void {
  if (downSignal.aborted) throw new StoreError('UNAVAILABLE', reason, { cause: error });
}

function withSignal(call: CallContext, signal: AbortSignal): CallContext {
  return { ...call, signal: call.signal === undefined ? signal : AbortSignal.any([call.signal, signal]) };
}
