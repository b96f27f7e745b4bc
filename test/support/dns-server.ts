// A small DNS server over UDP: the A and SRV records that a test gives it, which it may change at any time. RFC 1035, without
// compression of names.
import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4 } from 'node:net';

const TYPES = { A: 1, SRV: 33 } as const;
const CLASS_IN = 1;
/** Answer, authoritative, recursion available. */
const FLAGS = 0x8480;
const NO_SUCH_NAME = 3;
const HEADER_BYTES = 12;

export interface SrvRecord {
  readonly target: string;
  readonly port: number;
}

export class DnsServer implements AsyncDisposable {
  readonly #socket = createSocket('udp4');
  /** IPv4 addresses by name, and services by name; both without a dot at the end. */
  readonly addresses = new Map<string, readonly string[]>();
  readonly services = new Map<string, readonly SrvRecord[]>();
  /** Names that were asked for, in order. */
  readonly asked: string[] = [];

  /** A port below 1,024 needs the right to it. */
  static async open(host: string, port: number): Promise<DnsServer> {
    const server = new DnsServer();
    server.#socket.on('message', (query, from) => server.#answer(query, from));
    server.#socket.bind(port, host);
    await once(server.#socket, 'listening');
    return server;
  }

  #answer(query: Buffer, { address, port }: RemoteInfo): void {
    const { name, type, end } = questionOf(query);
    this.asked.push(name);
    const records = this.#recordsOf(name, type);
    const isKnown = this.addresses.has(name) || this.services.has(name);
    const head = Buffer.alloc(HEADER_BYTES);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(FLAGS | (isKnown ? 0 : NO_SUCH_NAME), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    this.#socket.send(Buffer.concat([head, query.subarray(HEADER_BYTES, end), ...records]), port, address);
  }

  #recordsOf(name: string, type: number): Buffer[] {
    if (type === TYPES.A) return (this.addresses.get(name) ?? []).map((ip) => record(name, type, ipBytes(ip)));
    if (type !== TYPES.SRV) return [];
    return (this.services.get(name) ?? []).map(({ target, port }) => {
      const fixed = Buffer.alloc(6);
      fixed.writeUInt16BE(port, 4);
      return record(name, type, Buffer.concat([fixed, nameBytes(target)]));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }
}

function questionOf(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function record(name: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(CLASS_IN, 2);
  // No time to live: asked again each time.
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([nameBytes(name), fixed, data]);
}

function nameBytes(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.of(0)]);
}

function ipBytes(ip: string): Buffer {
  if (!isIPv4(ip)) throw new Error(`${ip} is no IPv4 address`);
  return Buffer.from(ip.split('.').map(Number));
}
