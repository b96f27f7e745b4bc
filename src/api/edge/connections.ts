// The open connections of one listener: never more than its share of the file descriptors, because the store must always
// be able to open a file. At the cap the connection that was silent longest is closed, those without a request first: a
// flood of idle sockets pushes itself out, and whoever comes is served. It also ends all of them when the listener closes.
import type { Socket } from 'node:net';
import { assert } from '../../base/assert.ts';

/** How exactly silence is measured. */
const LOOK_MS = 1_000;
/** While the listener closes: how long a connection without a request may take to leave by itself. */
const LEAVE_MS = 250;

/** What tells one connection of a listener from all others; the sessions of HTTP/2 show it of the socket they hide. */
type Peer = Pick<Socket, 'remoteAddress' | 'remotePort'>;

interface Connection {
  readonly peer: string;
  /** In and out, when it was last looked at. */
  bytes: number;
  /** Under way on it. */
  requests: number;
}

/** As metrics show them. */
export interface ConnectionGauges {
  readonly open: number;
  readonly max: number;
  /** Closed because there were too many. */
  readonly pushedOut: number;
}

export class Connections {
  readonly #max: number;
  /** The one that was silent longest comes first. */
  readonly #open = new Map<Socket, Connection>();
  readonly #byPeer = new Map<string, Socket>();
  readonly #timer: NodeJS.Timeout;
  #pushedOut = 0;

  constructor(max: number) {
    assert(max >= 1, `a listener of ${max} connections`);
    this.#max = max;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  get gauges(): ConnectionGauges {
    return { open: this.#open.size, max: this.#max, pushedOut: this.#pushedOut };
  }

  /** A connection was accepted. */
  add(socket: Socket): void {
    if (this.#open.size >= this.#max) this.#pushOut();
    const peer = nameOf(socket);
    this.#open.set(socket, { peer, bytes: 0, requests: 0 });
    this.#byPeer.set(peer, socket);
    assert(this.#open.size <= this.#max, `${this.#open.size} connections, at most ${this.#max} may be open`);
    socket.once('close', () => this.#remove(socket));
  }

  /** A request of `peer` begins. The caller calls the result once, when it has ended. */
  begin(peer: Peer): () => void {
    const socket = this.#byPeer.get(nameOf(peer));
    const connection = socket && this.#open.get(socket);
    // It may have been closed in the same moment.
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
   * end, and what is left after `requestsMaxMs` at once. Resolves when `closed`, the listener's own end, does.
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
    // The next connection of the same port may be there already.
    if (this.#byPeer.get(connection.peer) === socket) this.#byPeer.delete(connection.peer);
  }

  #moveToEnd(socket: Socket, connection: Connection): void {
    this.#open.delete(socket);
    this.#open.set(socket, connection);
  }

  /** Whoever sent or received since the last look moves to the end. */
  #look(): void {
    // What moves to the end is visited again, and has said nothing since.
    for (const [socket, connection] of this.#open) {
      if (hasMoved(socket, connection)) this.#moveToEnd(socket, connection);
    }
  }

  /** Room for one more. */
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

  /** What was just written may still be on its way to the system: only what was silent since the last look is ended. */
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

/** Were there bytes since the last call? */
function hasMoved(socket: Socket, connection: Connection): boolean {
  const bytes = socket.bytesRead + socket.bytesWritten;
  if (bytes === connection.bytes) return false;
  connection.bytes = bytes;
  return true;
}
