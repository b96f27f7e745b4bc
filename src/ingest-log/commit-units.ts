// What of the log is stored in one commit, and as which requests.
import type { LogMessage } from './ingest-log.ts';
import { contentBytes, type LogSlice } from './log-payload.ts';

/** OTLP bytes of one commit's part of a partition: some 8,000 spans, a few milliseconds of the write thread. */
const UNIT_BYTES_MAX: number = 4 << 20;

/**
 * From `at` on: as many as follow each other and fit into one commit, at least one. This alone bounds the commit: what is acknowledged
 * has no limits any more, and a few KB in the log may be many MB.
 */
export function takeUnit(messages: readonly LogMessage[], at: number): LogMessage[] {
  const unit: LogMessage[] = [];
  for (let bytes = 0, i = at; i < messages.length; i++) {
    bytes += contentBytes(messages[i]!.bytes);
    if (unit.length > 0 && (bytes > UNIT_BYTES_MAX || messages[i]!.offset !== unit.at(-1)!.offset + 1n)) break;
    unit.push(messages[i]!);
  }
  return unit;
}

/** One request for each tenant, and one for what of it is not accepted yet: requests back to back are one request. */
export function byTenant(slices: readonly LogSlice[]): LogSlice[] {
  const requests = Map.groupBy(slices, ({ tenant, isAccepted = false }) => `${tenant} ${isAccepted}`);
  return [...requests.values()].map((some) => ({ ...some[0]!, body: joined(some.map(({ body }) => body)) }));
}

function joined(bodies: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(bodies.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const body of bodies) {
    all.set(body, at);
    at += body.length;
  }
  return all;
}
