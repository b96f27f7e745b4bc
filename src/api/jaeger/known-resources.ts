// What Jaeger's view needs of a resource, kept from trace to trace: the traces of an answer, and of the next one, have the
// same few resources again and again. Reading and writing them anew took a third of a search's time on the main thread.
import { LIST, STRING } from '../../trace/any-value.ts';
import { listItems, readAttributes, textOf, type Attribute } from '../../trace/attributes.ts';
import { serviceName } from '../../trace/service-name.ts';

/** A process as JSON. */
export interface ProcessJson {
  /** Equal processes have equal keys: the service and the sorted tags. */
  readonly key: string;
  readonly json: string;
}

export interface KnownResource {
  readonly service: string;
  /** Two spans with the same key share a clock; "" = unknown. */
  readonly hostKey: string;
  /** Its process without attributes moved from spans, once it was written: adjusted, and raw. */
  json: ProcessJson | undefined;
  rawJson: ProcessJson | undefined;
}

/** Bytes of Resource messages remembered, 500 or so each; what is kept of one is some ten times larger. */
const KNOWN_BYTES_MAX: number = 1 << 20;

class KnownResources {
  readonly #known = new Map<string, KnownResource>();
  #bytes = 0;

  /** What is known of the Resource message [start, end). Throws INVALID_REQUEST if it is malformed. */
  find(bytes: Buffer, start: number, end: number): KnownResource {
    const key = bytes.toString('latin1', start, end);
    let resource = this.#known.get(key);
    if (resource !== undefined) return resource;
    if (this.#bytes + key.length > KNOWN_BYTES_MAX) {
      // A flood of new resources is not worth keeping.
      this.#known.clear();
      this.#bytes = 0;
    }
    this.#bytes += key.length;
    const hostKey = hostKeyOf(bytes, readAttributes(bytes, start, end, 1));
    resource = { service: serviceName(bytes.subarray(start, end)), hostKey, json: undefined, rawJson: undefined };
    this.#known.set(key, resource);
    return resource;
  }
}

export const knownResources: KnownResources = new KnownResources();

function hostKeyOf(bytes: Uint8Array, attributes: readonly Attribute[]): string {
  const find = (key: string): Attribute | undefined => attributes.find((attribute) => attribute.key === key);
  const text = (attribute: Attribute): string => (attribute.type === STRING ? textOf(bytes, attribute) : '');
  const id = find('host.id');
  if (id !== undefined) return text(id);
  const ip = find('host.ip');
  if (ip?.type === STRING) return text(ip);
  const firstIp = ip?.type === LIST ? listItems(bytes, ip)[0] : undefined;
  if (firstIp !== undefined) return textOf(bytes, firstIp);
  const name = find('host.name');
  return name === undefined ? '' : text(name);
}
