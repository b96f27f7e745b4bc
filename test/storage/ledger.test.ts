import { expect, test } from 'vitest';
import { Ledger } from '../../src/storage/ledger.ts';

test('the ledger balances after every answer', () => {
  const ledger = new Ledger();
  ledger.addAnswered({ stored: 5, rejected: new Map([['too_large', 2]]) }, 100);
  ledger.addAnswered(
    {
      stored: 0,
      rejected: new Map([
        ['too_large', 1],
        ['invalid_span_id', 4],
      ]),
    },
    10,
  );
  ledger.addMalformed();
  expect(ledger.stats()).toEqual({
    rowsReceived: 12,
    rowsStored: 5,
    rowsRejected: { too_large: 3, invalid_span_id: 4 },
    requestsMalformed: 1,
    bytesReceived: 110,
  });
});
