// The JSON of Jaeger's processes, kept from trace to trace: a search answers with the same few resources again and again,
// and writing them took a third of its time on the main thread.
import { JsonWriter, quoteJson } from '../../bytes/json-writer.ts';
import { processTags } from './jaeger-span.ts';
import { writeTag } from './jaeger-tags.ts';
import type { ResourceView } from './trace-view.ts';

export interface ProcessJson {
  /** Equal processes have equal keys: the service and the sorted tags. */
  readonly key: string;
  readonly json: string;
}

/** Characters of remembered processes, each some 2 KB. Above it all are forgotten: a flood of new ones is not worth keeping. */
const KNOWN_CHARS_MAX: number = 4 << 20;

const known = new Map<string, ProcessJson>();
let knownChars = 0;

/** The process that stands for `resource`, whose trace has `bytes`. */
export function processJson(bytes: Buffer, resource: ResourceView, isRaw: boolean): ProcessJson {
  // Tags that adjusting moved here are no part of the resource's bytes.
  if (resource.moved.length > 0) return writeProcess(bytes, resource, isRaw);
  const id = `${isRaw ? 'raw' : ''}:${bytes.toString('latin1', resource.start, resource.end)}`;
  let process = known.get(id);
  if (process === undefined) {
    process = writeProcess(bytes, resource, isRaw);
    const chars = id.length + process.key.length + process.json.length;
    if (knownChars + chars > KNOWN_CHARS_MAX) {
      known.clear();
      knownChars = 0;
    }
    knownChars += chars;
    known.set(id, process);
  }
  return process;
}

function writeProcess(bytes: Uint8Array, resource: ResourceView, isRaw: boolean): ProcessJson {
  const out = new JsonWriter({ isHtmlEscaped: true, capacityBytes: 1_024 });
  const tags = processTags(resource, isRaw).map((attribute) => {
    writeTag(out, bytes, attribute);
    return out.take().toString('utf8');
  });
  const service = quoteJson(resource.service);
  return {
    key: JSON.stringify([service, ...tags.toSorted()]),
    json: `{"serviceName":${service},"tags":[${tags.join(',')}]}`,
  };
}
