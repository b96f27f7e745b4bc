// The names by which users search, derived from spans. They follow Jaeger's sanitizers for absent and odd names
// (contract/jaeger.md §1.10); stored data stays unchanged.
import { WireReader, WIRE_BYTES } from '../bytes/wire-reader.ts';

export const MISSING_SERVICE_NAME = 'missing-service-name';
export const EMPTY_SERVICE_NAME = 'empty-service-name';
export const WRONG_TYPE_SERVICE_NAME = 'service-name-wrong-type';
export const EMPTY_SPAN_NAME = 'empty-span-name';
/** Names beyond a bound are listed and counted under this one. Their spans keep their names, and searches find them. */
export const OTHER_NAMES = '…other';

const SERVICE_NAME_KEY = Buffer.from('service.name');

/** The service of a canonical Resource message: its first `service.name`, or Jaeger's substitute for a non-text. */
export function serviceName(resource: Uint8Array): string {
  const reader = new WireReader(resource);
  const attribute = new WireReader(resource);
  while (reader.next()) {
    if (reader.field !== 1 || reader.wire !== WIRE_BYTES) continue;
    attribute.reset(reader.valueStart, reader.valueEnd);
    let isServiceName = false;
    let value: Uint8Array | undefined;
    while (attribute.next()) {
      if (attribute.field === 1) isServiceName = attribute.isValue(SERVICE_NAME_KEY);
      else if (attribute.field === 2) value = attribute.value();
    }
    if (isServiceName) return serviceText(value);
  }
  return MISSING_SERVICE_NAME;
}

function serviceText(value: Uint8Array | undefined): string {
  if (value === undefined) return WRONG_TYPE_SERVICE_NAME;
  const any = new WireReader(value);
  let text: string | undefined;
  while (any.next()) {
    if (any.field > 7) continue; // a field of a newer OTLP beside the value
    text = any.field === 1 && any.wire === WIRE_BYTES ? Buffer.from(any.value()).toString('utf8') : undefined;
  }
  if (text === undefined) return WRONG_TYPE_SERVICE_NAME;
  return text === '' ? EMPTY_SERVICE_NAME : text;
}

/** A span's name as it is listed and searched. */
export function operationName(name: string): string {
  return name === '' ? EMPTY_SPAN_NAME : name;
}
