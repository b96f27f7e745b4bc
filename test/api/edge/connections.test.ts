// The bound on a listener's connections, over real sockets: who is pushed out, who never is, and how all of them end.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { Connections } from '../../../src/api/edge/connections.ts';

/** A listener with its connections, and the client's and the server's end of each in the order they were opened. */
class Listener implements AsyncDisposable {
  readonly connections: Connections;
  readonly clients: Socket[] = [];
  readonly accepted: Socket[] = [];
  readonly #server = createServer((socket) => {
    socket.on('error', () => undefined).resume();
    this.connections.add(socket);
    this.accepted.push(socket);
  });

  constructor(max: number) {
    this.connections = new Connections(max);
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** Resolves when the server has it. Returns its number. */
  async open(): Promise<number> {
    const client = connect((this.#server.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => undefined).resume();
    const accepted = once(this.#server, 'connection');
    await Promise.all([once(client, 'connect'), accepted]);
    return this.clients.push(client) - 1;
  }

  /** Sends something, and resolves when it has arrived. */
  async say(number: number): Promise<void> {
    const arrived = once(this.accepted[number]!, 'data');
    this.clients[number]!.write('hello');
    await arrived;
  }

  get alive(): number[] {
    return this.accepted.flatMap((socket, number) => (socket.destroyed ? [] : [number]));
  }

  close(requestsMaxMs: number): Promise<void> {
    return this.connections.close(new Promise((resolve) => this.#server.close(resolve)), requestsMaxMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.destroy();
    if (this.#server.listening) await this.close(0);
  }
}

afterEach(() => void vi.useRealTimers());

test('at the cap the connection that was silent longest is closed, and the newcomer stays', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  await using listener = await new Listener(3).listen();
  for (let i = 0; i < 3; i++) await listener.open();
  await listener.say(0);
  // The look at who said something.
  vi.advanceTimersByTime(1_000);
  await listener.open();
  expect(listener.alive).toEqual([0, 2, 3]);
  await listener.open();
  expect(listener.alive).toEqual([0, 3, 4]);
  listener.connections.countTimeout();
  // `hello` of a connection that is still open.
  const counted = { accepted: 5, pushedOut: 2, timedOut: 1, bytesRead: 5, bytesWritten: 0 };
  expect(listener.connections.gauges).toEqual({ open: 3, max: 3, ...counted });
  for (const client of listener.clients) client.destroy();
  await expect.poll(() => listener.connections.gauges).toEqual({ open: 0, max: 3, ...counted });
});

test('one with a request under way is closed only when all have one', async () => {
  await using listener = await new Listener(2).listen();
  await listener.open();
  const end = listener.connections.begin(listener.accepted[0]!);
  for (let i = 0; i < 4; i++) await listener.open();
  expect(listener.alive).toEqual([0, 4]);
  const endOther = listener.connections.begin(listener.accepted[4]!);
  await listener.open();
  expect(listener.alive).toEqual([4, 5]);
  end();
  endOther();
});

test('a request is counted for the connection of its peer, whatever shows that', async () => {
  await using listener = await new Listener(1).listen();
  await listener.open();
  const { localAddress, localPort } = listener.clients[0]!;
  const end = listener.connections.begin({ remoteAddress: localAddress, remotePort: localPort });
  const closed = listener.close(60_000);
  end();
  await closed;
  expect(listener.alive).toEqual([]);
  // Gone: nobody is looked for twice.
  listener.connections.begin({ remoteAddress: localAddress, remotePort: localPort })();
});

test('a close ends the idle ones soon, one with a request when that ends, and the last at the deadline', async () => {
  await using listener = await new Listener(10).listen();
  for (let i = 0; i < 3; i++) await listener.open();
  const end = listener.connections.begin(listener.accepted[1]!);
  listener.connections.begin(listener.accepted[2]!);
  const gone = listener.accepted.map((socket) => once(socket, 'close'));
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  let isClosed = false;
  const closed = listener.close(60_000).then(() => void (isClosed = true));
  await gone[0];
  expect(listener.alive).toEqual([1, 2]);
  end();
  await gone[1];
  expect([listener.alive, isClosed]).toEqual([[2], false]);
  vi.advanceTimersByTime(60_000);
  await closed;
  expect(listener.alive).toEqual([]);
});

test('whatever clients do, the cap holds, the newest is there, and a close ends', async () => {
  const step = fc.record({
    kind: fc.constantFrom('open', 'say', 'begin', 'end', 'leave'),
    which: fc.nat({ max: 30 }),
  });
  const schedules = fc.array(step, { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), schedules, async (max, steps) => {
      await using listener = await new Listener(max).listen();
      const ends: (() => void)[] = [];
      for (const { kind, which } of steps) {
        const number = listener.alive[which % Math.max(1, listener.alive.length)];
        if (kind === 'open') {
          const newest = await listener.open();
          expect(listener.alive).toContain(newest);
        } else if (kind === 'end') ends.splice(which % Math.max(1, ends.length), 1)[0]?.();
        else if (number !== undefined) {
          const socket = listener.accepted[number]!;
          if (kind === 'begin') ends.push(listener.connections.begin(socket));
          else if (kind === 'say') await listener.say(number);
          else {
            const closed = once(socket, 'close');
            listener.clients[number]!.destroy();
            await closed;
          }
        }
        expect(listener.alive.length).toBeLessThanOrEqual(max);
        expect(listener.connections.gauges.open).toBe(listener.alive.length);
      }
      await listener.close(0);
      expect(listener.alive).toEqual([]);
    }),
    { numRuns: 60 },
  );
});
