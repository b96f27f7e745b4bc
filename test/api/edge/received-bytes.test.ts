// Bytes come out as they came in, wherever they are cut, and many small pieces cost no more than a few large ones.
import { expect, test } from 'vitest';
import { ReceivedBytes } from '../../../src/api/edge/received-bytes.ts';
import { createRandom, printedSeed } from '../../support/random-request.ts';

test('what is cut off is what came, in order', () => {
  const random = createRandom(printedSeed('received-bytes'));
  const int = (below: number): number => Math.floor(random() * below);
  for (let round = 0; round < 50; round++) {
    const received = new ReceivedBytes();
    const came: Buffer[] = [];
    const cut: Buffer[] = [];
    for (let step = 0; step < 60; step++) {
      const piece = Buffer.alloc(int(int(2) === 0 ? 20 : 30_000), int(256));
      came.push(Buffer.from(piece));
      received.add(piece);
      if (int(4) === 0) cut.push(received.cut(int(received.length + 1)));
    }
    cut.push(received.cut(received.length));
    expect(Buffer.concat(cut).equals(Buffer.concat(came))).toBe(true);
    expect([received.length, received.pieceCount]).toEqual([0, 0]);
  }
});

test('a megabyte that comes byte by byte is held in few pieces', () => {
  const received = new ReceivedBytes();
  for (let i = 0; i < 1 << 20; i++) received.add(Buffer.from([i & 0xff]));
  expect(received.pieceCount).toBeLessThanOrEqual(4_096);
  expect(received.cut(1 << 20)[77]).toBe(77);
});
