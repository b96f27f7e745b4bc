// The real Readiness of a process that a test stops and starts answering.
import { Readiness, type Duty } from '../../src/api/edge/readiness.ts';

export class FakeReadiness {
  /** Whether the process is alive. */
  isReady = true;
  readonly refusals: Partial<Record<Duty, string>> = {};
  readonly readiness = new Readiness({
    isAlive: () => this.isReady,
    refusalOf: async (duty) => this.refusals[duty],
  });

  constructor() {
    this.readiness.begin();
  }
}
