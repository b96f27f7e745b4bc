// How the engine tells every query thread of files that no view holds any more. What is told before a view is taken is
// there for the query of that view: both threads queue messages at once, in order. So a part that comes back under its
// identity (a day restored from a snapshot) is never read through what was kept of it before.
import { BroadcastChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { Identity } from '../part/identity.ts';
import type { Forget } from './partition-place.ts';

/** One channel a process; identities of another store's files mean nothing to a listener. */
const NAME = 'tracelith-forget';

/** Tells all listeners of the process. */
export function openForgetChannel(): Forget {
  const channel = new BroadcastChannel(NAME);
  channel.unref();
  return (identities) => channel.postMessage(identities);
}

/** What this thread is told. */
export class ForgetListener implements Disposable {
  readonly #channel = new BroadcastChannel(NAME);

  /** `onIdle` takes what comes while nobody asks take(). Does not keep the thread alive. */
  constructor(onIdle: (identities: readonly Identity[]) => void) {
    this.#channel.onmessage = (event) => onIdle((event as { data: Identity[] }).data);
    this.#channel.unref();
  }

  /** What was told since the last call and not given to `onIdle`. An empty call takes 0.3 µs. */
  take(): Identity[] {
    const taken: Identity[] = [];
    for (;;) {
      // Node takes a channel here too (its documentation says so, its types do not).
      const received = receiveMessageOnPort(this.#channel as unknown as MessagePort);
      if (received === undefined) return taken;
      taken.push(...(received.message as Identity[]));
    }
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}
