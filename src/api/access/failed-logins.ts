// Failed logins by address. An address may fail a few times at once and then once in a while; beyond that a password or signature
// is refused unread. Tokens of the file and what was verified before pass all the same, so that a client behind the same proxy as
// a guesser goes on. Bounded: the address that failed longest ago is forgotten.
import { isIPv6 } from 'node:net';
import type { Clock } from '../../base/clock.ts';

/** A person mistypes a few times. */
const BURST = 10;
/** One more failure is allowed after this long: some 9,000 guesses a day, of the 10^14 that a bad random password needs. */
const REFILL_MS = 10_000;
/** Each costs some 100 bytes. */
const ADDRESSES_MAX = 10_000;

export class FailedLogins {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  /** By address, the time when all of its failures are forgotten; the failure longest ago first. */
  readonly #forgottenMs = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Number of addresses with failures that count. */
  get addresses(): number {
    return this.#forgottenMs.size;
  }

  /** Milliseconds until `address` may try again; 0: now. */
  waitMs(address: string): number {
    const nowMs = this.#clock.monotonicMs();
    const fullMs = (this.#forgottenMs.get(networkOf(address)) ?? 0) - nowMs;
    return Math.max(0, fullMs - (BURST - 1) * REFILL_MS);
  }

  /** Counts a failure of `address`. */
  add(address: string): void {
    const network = networkOf(address);
    const nowMs = this.#clock.monotonicMs();
    const before = Math.max(nowMs, this.#forgottenMs.get(network) ?? 0);
    this.#forgottenMs.delete(network);
    this.#forgottenMs.set(network, Math.min(before + REFILL_MS, nowMs + BURST * REFILL_MS));
    if (this.#forgottenMs.size <= ADDRESSES_MAX) return;
    const [oldest] = this.#forgottenMs.keys();
    this.#forgottenMs.delete(oldest!);
  }
}

/** The address itself, or the /64 of an IPv6 address: whoever has one address of it has all of them. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  if (tail !== undefined)
    while (groups.length < 8 - tail.split(':').filter((group) => group !== '').length) groups.push('0');
  return groups.slice(0, 4).join(':');
}
