// Which hours of a partition have spans that another node may have, too (index/strays.ts). Each is written once.
import type { Environment } from '../index/environment.ts';
import { hoursOfWindow, writeStrayHours } from '../index/strays.ts';
import type { StartWindow } from '../trace/store.ts';

export class NotedStrays {
  readonly #env: Environment;
  readonly #day: number;
  #hours: number;

  /** `hours`: what the index has. */
  constructor(env: Environment, day: number, hours: number) {
    this.#env = env;
    this.#day = day;
    this.#hours = hours;
  }

  /** Bit h: hour h has some. */
  get hours(): number {
    return this.#hours;
  }

  /** Durably adds the hours of this day that `window` touches. Throws DISK. */
  note(window: StartWindow): void {
    const hours = this.#hours | hoursOfWindow(window, this.#day);
    if (hours === this.#hours) return;
    writeStrayHours(this.#env, hours);
    this.#hours = hours;
  }
}
