// A resource as the JSON of Jaeger's process, written once for equal resources.
import { JsonWriter, quoteJson } from '../../bytes/json-writer.ts';
import { processTags } from './jaeger-span.ts';
import { writeTag } from './jaeger-tags.ts';
import type { ProcessJson } from './known-resources.ts';
import type { ResourceView } from './trace-view.ts';

/** The process that stands for `resource`, whose trace has `bytes`. */
export function processJson(bytes: Buffer, resource: ResourceView, isRaw: boolean): ProcessJson {
  // Tags that adjusting moved here are no part of the resource's bytes.
  if (resource.moved.length > 0) return writeProcess(bytes, resource, isRaw);
  if (isRaw) return (resource.known.rawJson ??= writeProcess(bytes, resource, isRaw));
  return (resource.known.json ??= writeProcess(bytes, resource, isRaw));
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
