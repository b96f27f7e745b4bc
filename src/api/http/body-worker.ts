// Entry of the body worker thread (piscina): decompresses and converts large bodies, so that the main thread can serve other
// requests. Errors are returned as values: piscina drops an error's own properties.
import { move, workerData } from 'piscina';
import { Pulse } from '../../base/pulse.ts';
import { startMeter, type MeteredThread } from '../../base/thread-meter.ts';
import type { PulsingJob } from '../../base/thread-pool.ts';
import { StoreError, type StoreErrorCode } from '../../base/errors.ts';
import { bodyToOtlp, type EncodedBody, type OtlpBodyOptions } from './decode-body.ts';

export interface BodyJob extends PulsingJob {
  readonly body: EncodedBody;
  readonly options: OtlpBodyOptions;
}

/** The OTLP bytes, which own their whole buffer. */
export type BodyReply = Uint8Array | { readonly code: StoreErrorCode; readonly message: string };

const { meter } = workerData as MeteredThread;
if (meter !== undefined) startMeter(meter);

/** Runs `job` on this thread. Any error other than a StoreError is a bug and rejects. */
export function convertBody({ body, options, pulse }: BodyJob): unknown {
  new Pulse(pulse).beat();
  try {
    const otlp = bodyToOtlp(body, options);
    return move(otlp.byteLength === otlp.buffer.byteLength ? (otlp as Uint8Array<ArrayBuffer>) : new Uint8Array(otlp));
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { code: error.code, message: error.message } satisfies BodyReply;
  }
}
