// The engine tells every query thread which files no view holds any more. A message sent before a view is taken arrives
// before that view's query: both threads queue messages synchronously and in order. So if a part comes back under the same
// identity (a day restored from a snapshot), no query reads it through stale cached data.
import { BroadcastChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { Identity } from '../part/identity.ts';
import type { Forget } from './partition-place.ts';

/** One channel per process; a listener ignores identities that belong to another store. */
const NAME = 'tracelith-forget';

/** Tells all listeners of the process. */
export function openForgetChannel(): Forget {
  const channel = new BroadcastChannel(NAME);
  channel.unref();
  return (identities) => channel.postMessage(identities);
}

/** Receives the messages on one thread. */
export class ForgetListener implements Disposable {
  readonly #channel = new BroadcastChannel(NAME);

  /** `onIdle` gets messages that arrive while nobody calls take(). Does not keep the thread alive. */
  constructor(onIdle: (identities: readonly Identity[]) => void) {
    this.#channel.onmessage = (event) => onIdle((event as { data: Identity[] }).data);
    this.#channel.unref();
  }

  /** Messages since the last call that `onIdle` did not get. An empty call takes 0.3 µs. */
  take(): Identity[] {
    const taken: Identity[] = [];
    for (;;) {
      // Node accepts a channel here (documented, but missing from its types).
      const received = receiveMessageOnPort(this.#channel as unknown as MessagePort);
      if (received === undefined) return taken;
      taken.push(...(received.message as Identity[]));
    }
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}
