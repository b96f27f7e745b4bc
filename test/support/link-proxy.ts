// The network between two processes on a bad day: a TCP proxy that a test slows down, cuts, silences, or has lose the answers.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** lossy: what goes there arrives, what comes back does not. silent: nothing arrives, and nobody is told. */
export type LinkState = 'open' | 'slow' | 'cut' | 'silent' | 'lossy';

const SLOW_MS = 150;

export class LinkProxy implements AsyncDisposable {
  readonly #target: string;
  readonly #server = createServer((socket) => this.#accept(socket));
  readonly #sockets = new Set<Socket>();
  #state: LinkState = 'open';
  #port = 0;

  private constructor(target: string) {
    this.#target = target;
  }

  static async open(target: string): Promise<LinkProxy> {
    const proxy = new LinkProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    proxy.#port = (proxy.#server.address() as AddressInfo).port;
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** From now on; what was held back by the state before is lost with its connection. */
  set(state: LinkState): void {
    const mustBreak = state === 'cut' || this.#state === 'silent' || this.#state === 'lossy';
    this.#state = state;
    if (mustBreak) for (const socket of this.#sockets) socket.destroy();
  }

  #accept(near: Socket): void {
    if (this.#state === 'cut') return void near.destroy();
    const [host = '', port = ''] = this.#target.split(':');
    const far = connect({ host, port: Number(port) });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one
        .on('error', () => undefined)
        .on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
    }
    near.on('data', (chunk: Buffer) => this.#pass(chunk, far, this.#state === 'silent'));
    far.on('data', (chunk: Buffer) => this.#pass(chunk, near, this.#state === 'silent' || this.#state === 'lossy'));
  }

  #pass(chunk: Buffer, to: Socket, isLost: boolean): void {
    if (isLost) return;
    if (this.#state === 'slow') setTimeout(() => to.write(chunk), SLOW_MS);
    else to.write(chunk);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
