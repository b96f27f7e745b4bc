// One question to every node at once. A node that has not answered when half of the time is over, or whose connection failed, is
// asked again on another connection, and its first answer counts. What then follows is the caller's choice: without a partial answer the
// question fails with the node's name; with one, the answer names the node as missing. No answer at all is always a failure.
import { assert } from '../base/assert.ts';
import { isStoreError, StoreError, type StoreErrorCode } from '../base/errors.ts';
import { leftMs, type CallContext } from '../trace/call-context.ts';
import type { Missing } from '../trace/store.ts';
import { NoAnswer } from './grpc-caller.ts';
import { NoRoom } from './read-budget.ts';
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
  /** For people: what the answers together may lack. */
  readonly warnings?: readonly string[];
}

export type AskNode<T> = (store: RemoteStore, call: CallContext) => Promise<T>;

/** Throws UNAVAILABLE, naming the nodes that did not answer; what a node says against the question; CANCELLED. */
export async function askNodes<T>(
  nodes: readonly StorageNode[],
  call: CallContext,
  ask: AskNode<T>,
): Promise<Answers<T>> {
  if (nodes.length === 0) throw new StoreError('UNAVAILABLE', 'no storage node is known (-storageNode); try again');
  // No node is to blame for it.
  if (leftMs(call) === 0)
    throw new StoreError(
      'TIMEOUT',
      'the time was over before the storage nodes were asked; allow more, or ask for less',
    );
  const allowsPartial = call.allowsPartial ?? false;
  const others = new AbortController();
  const missing: Missing[] = [];
  const answers: NodeAnswer<T>[] = [];
  const asked = nodes.map(async (node) => {
    try {
      answers.push({ node, answer: await askNode(node, withSignal(call, others.signal), ask) });
    } catch (error) {
      if (!isNodeFailure(error) || call.signal?.aborted === true) throw error;
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
  assert(answers.length + missing.length === nodes.length, 'a node neither answered nor is missing');
  if (answers.length === 0) throw unanswered(missing);
  return { answers, missing: missing.sort((x, y) => (x.node < y.node ? -1 : 1)) };
}

/** What says nothing against the question. */
export function isNodeFailure(error: unknown): error is StoreError {
  return isStoreError(error) && NODE_FAILURES.has(error.code) && !(error instanceof NoRoom);
}

/** The error for a question that these nodes did not answer. */
export function unanswered(missing: readonly Missing[]): StoreError {
  const nodes = missing.map(({ node, reason }) => `${node} (${reason})`).join(', ');
  const remedy = 'try again, or allow an answer without it (allow_partial_response=1, -search.allowPartialResponse)';
  return new StoreError('UNAVAILABLE', `storage node ${nodes} does not answer; ${remedy}`);
}

/** Asks one node, on a second connection when the first fails or half of the time is over. Throws the node's failure. */
export async function askNode<T>(node: StorageNode, call: CallContext, ask: AskNode<T>): Promise<T> {
  if (!node.isUp) await settlesWithin(node.isBack(), leftMs(call), call.signal);
  if (!node.isUp) throw new StoreError('UNAVAILABLE', node.reason);
  const over = new AbortController();
  try {
    return await askTwice(node, withSignal(withSignal(call, node.downSignal), over.signal), ask);
  } catch (error) {
    checkDown(node, error);
    throw error;
  } finally {
    // Ends the question that is not answered yet, if there is one.
    over.abort();
  }
}

/** The second question does not end the first: a slow answer may need more than half of the time. */
async function askTwice<T>(node: StorageNode, call: CallContext, ask: AskNode<T>): Promise<T> {
  const first = ask(node.store, call);
  const isAnswered = await settlesWithin(first, leftMs(call) / 2);
  if (!isAnswered) return await either(first, ask(node.repeat, call));
  try {
    return await first;
  } catch (error) {
    if (!(error instanceof NoAnswer) || call.signal?.aborted === true) throw error;
    return await ask(node.repeat, call);
  }
}

/** Whether the promise is settled after `ms` at most, and before `signal` fires. Throws our own bugs, of which nobody else may learn. */
export async function settlesWithin(promise: Promise<unknown>, ms: number, signal?: AbortSignal): Promise<boolean> {
  const settled = promise.then(
    () => true,
    (error: unknown) => {
      if (!isStoreError(error)) throw error;
      return true;
    },
  );
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const giveUp = (): void => resolve(false);
  if (signal?.aborted === true) giveUp();
  const timer = Number.isFinite(ms) ? setTimeout(giveUp, ms) : undefined;
  signal?.addEventListener('abort', giveUp, { once: true });
  return await Promise.race([settled, late]).finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  });
}

/** What the node says first, on whichever connection. NoAnswer if it says nothing on both. */
function either<T>(first: Promise<T>, second: Promise<T>): Promise<T> {
  const orElse =
    (other: Promise<T>) =>
    (error: unknown): Promise<T> => {
      if (error instanceof NoAnswer) return other;
      throw error;
    };
  return Promise.race([first.catch(orElse(second)), second.catch(orElse(first))]);
}

/** A call that was ended because its node went down failed for that reason. */
function checkDown({ downSignal, reason }: StorageNode, error: unknown): void {
  if (downSignal.aborted) throw new StoreError('UNAVAILABLE', reason, { cause: error });
}

/** The call, ended by `signal` too. */
export function withSignal(call: CallContext, signal: AbortSignal): CallContext {
  return { ...call, signal: call.signal === undefined ? signal : AbortSignal.any([call.signal, signal]) };
}
