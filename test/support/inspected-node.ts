// Hangs a thread of a running node from outside: Node's inspector, which is asked for, evaluates a loop without end there.
import { once } from 'node:events';
import { expect } from 'vitest';
import type { TestNode } from './node-process.ts';

/** Starts the node with an inspector on a free port. */
export const INSPECTED: readonly string[] = ['env', 'NODE_OPTIONS=--inspect=127.0.0.1:0'];

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly sessionId: string; readonly workerInfo: { readonly title: string } };
}

const LOOP = { method: 'Runtime.evaluate', params: { expression: 'for (;;);' } };

/** Ends the turns of the main thread, or of the engine's. While the result is open, a process that ends waits for it. */
export async function hang(node: TestNode, thread: 'main' | 'engine'): Promise<WebSocket> {
  const listening = /Debugger listening on (ws:\S+)/;
  await expect.poll(() => node.log(), { timeout: 10_000 }).toMatch(listening);
  const inspector = new WebSocket(listening.exec(node.log())![1]!);
  await once(inspector, 'open');
  const send = (message: object): void => inspector.send(JSON.stringify(message));
  if (thread === 'main') {
    send({ id: 1, ...LOOP });
    return inspector;
  }
  const attached = new Promise<string>((resolve) => {
    inspector.addEventListener('message', ({ data }) => {
      const { method, params } = JSON.parse(String(data)) as Message;
      if (method === 'NodeWorker.attachedToWorker' && params?.workerInfo.title.includes('tracelith-engine'))
        resolve(params.sessionId);
    });
  });
  send({ id: 1, method: 'NodeWorker.enable', params: { waitForDebuggerOnStart: false } });
  const message = JSON.stringify({ id: 1, ...LOOP });
  send({ id: 2, method: 'NodeWorker.sendMessageToWorker', params: { sessionId: await attached, message } });
  return inspector;
}
