import { expect, test } from 'vitest';
import { placeAll } from '../../src/bytes/slots.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

test('every entry is met from the slot of its hash on, before a free one, and each once', () => {
  const random = createRandom(printedSeed('slots'));
  for (let run = 0; run < 50; run++) {
    const hashes = Array.from({ length: Math.floor(random() * 64) }, () => Math.floor((random() - 0.3) * 2 ** 31));
    // Many with one hash: the last slot is followed by the first.
    if (run % 2 === 0) hashes.fill(127);
    const slots = placeAll(128, hashes, hashes.length);
    hashes.forEach((hash, entry) => {
      let slot = hash & 127;
      while (slots[slot] !== entry + 1) {
        expect(slots[slot]).not.toBe(0);
        slot = (slot + 1) & 127;
      }
    });
    expect(slots.filter((entry) => entry !== 0).length).toBe(hashes.length);
  }
});
