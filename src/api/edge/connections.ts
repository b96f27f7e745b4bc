// The open connections of one listener. Their number is limited to the listener's share of the file descriptors, because the
// store must always be able to open a file. At the limit, a new connection closes the one that was idle longest, those without
// a request first, so a flood of idle sockets evicts itself. Also ends all connections when the listener closes.
import type { Socket } from 'node:net';
import { assert } from '../../base/assert.ts';
import type { ConnectionGauges } from '../metrics/request-metrics.ts';

/** Resolution of the idle time. */
const LOOK_MS = 1_000;
/** While the listener closes, a connection without a request has this long to end by itself. */
const LEAVE_MS = 250;

/** Identifies a connection of a listener. HTTP/2 sessions hide their socket, but expose these two properties of it. */
type Peer = Pick<Socket, 'remoteAddress' | 'remotePort'>;

interface Connection {
  readonly peer: string;
  /** Bytes in and out at the last check. */
  bytes: number;
  /** Requests under way on it. */
  requests: number;
}

export class Connections {
  readonly #max: number;
  /** Longest idle first. */
  readonly #open = new Map<Socket, Connection>();
  readonly #byPeer = new Map<string, Socket>();
  readonly #timer: NodeJS.Timeout;
  #accepted = 0;
  #pushedOut = 0;
  #timedOut = 0;
  /** Of closed connections. */
  readonly #closedBytes = { read: 0, written: 0 };

  constructor(max: number) {
    assert(max >= 1, `a listener of ${max} connections`);
    this.#max = max;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  get gauges(): ConnectionGauges {
    let { read: bytesRead, written: bytesWritten } = this.#closedBytes;
    for (const socket of this.#open.keys()) {
      bytesRead += socket.bytesRead;
      bytesWritten += socket.bytesWritten;
    }
    const [accepted, pushedOut, timedOut] = [this.#accepted, this.#pushedOut, this.#timedOut];
    return { open: this.#open.size, max: this.#max, accepted, pushedOut, timedOut, bytesRead, bytesWritten };
  }

  /** Counts a connection that was closed because its request did not arrive in time. */
  countTimeout(): void {
    this.#timedOut++;
  }

  /** Call when a connection was accepted. */
  add(socket: Socket): void {
    if (this.#open.size >= this.#max) this.#pushOut();
    this.#accepted++;
    const peer = nameOf(socket);
    this.#open.set(socket, { peer, bytes: 0, requests: 0 });
    this.#byPeer.set(peer, socket);
    assert(this.#open.size <= this.#max, `${this.#open.size} connections, at most ${this.#max} may be open`);
    assert(this.#byPeer.size <= this.#open.size, `${this.#byPeer.size} peers of ${this.#open.size} connections`);
    socket.once('close', () => this.#remove(socket));
  }

  /** Call when a request of `peer` begins. The caller calls the result once, when the request has ended. */
  begin(peer: Peer): () => void {
    const socket = this.#byPeer.get(nameOf(peer));
    const connection = socket && this.#open.get(socket);
    // The connection may have been closed at the same moment.
    if (socket === undefined || connection === undefined) return () => undefined;
    connection.requests++;
    this.#moveToEnd(socket, connection);
    return () => {
      assert(connection.requests > 0, 'a request ended that had not begun');
      connection.requests--;
      if (this.#open.has(socket)) this.#moveToEnd(socket, connection);
    };
  }

  /**
   * Ends the connections of a listener that accepts no more: those without a request soon, the others when their requests
   * end, and the rest at once after `requestsMaxMs`. Resolves when `closed`, the end of the listener, does.
   */
  async close(closed: Promise<unknown>, requestsMaxMs: number): Promise<void> {
    clearInterval(this.#timer);
    const look = setInterval(() => this.#endSilent(), LEAVE_MS);
    const deadline = setTimeout(() => this.#endAll(), requestsMaxMs);
    try {
      await closed;
    } finally {
      clearInterval(look);
      clearTimeout(deadline);
    }
  }

  #remove(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    this.#open.delete(socket);
    this.#closedBytes.read += socket.bytesRead;
    this.#closedBytes.written += socket.bytesWritten;
    // A new connection from the same port may exist already.
    if (this.#byPeer.get(connection.peer) === socket) this.#byPeer.delete(connection.peer);
  }

  #moveToEnd(socket: Socket, connection: Connection): void {
    this.#open.delete(socket);
    this.#open.set(socket, connection);
  }

  /** Moves connections with traffic since the last check to the end. */
  #look(): void {
    // The loop visits a moved connection again, but by then it has no new traffic.
    for (const [socket, connection] of this.#open) {
      if (hasMoved(socket, connection)) this.#moveToEnd(socket, connection);
    }
  }

  /** Makes room for one more connection. */
  #pushOut(): void {
    let longest: Socket | undefined;
    for (const [socket, { requests }] of this.#open) {
      longest ??= socket;
      if (requests > 0) continue;
      longest = socket;
      break;
    }
    assert(longest !== undefined, 'a full listener without a connection');
    this.#pushedOut++;
    this.#remove(longest);
    longest.destroy();
  }

  /** Ends only connections that were idle since the last check: bytes just written may not have reached the system yet. */
  #endSilent(): void {
    for (const [socket, connection] of this.#open) {
      if (!hasMoved(socket, connection) && connection.requests === 0) socket.destroy();
    }
  }

  #endAll(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }
}

function nameOf({ remoteAddress, remotePort }: Peer): string {
  return `${remoteAddress}:${remotePort}`;
}

/** Whether there was traffic since the last call. */
function hasMoved(socket: Socket, connection: Connection): boolean {
  const bytes = socket.bytesRead + socket.bytesWritten;
  if (bytes === connection.bytes) return false;
  connection.bytes = bytes;
  return true;
}
