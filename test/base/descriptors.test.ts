// The budget of file descriptors: storage first, the listeners share the rest, and too few are refused with the remedy.
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  CONNECTIONS_USEFUL,
  descriptorLimit,
  shareDescriptors,
  storageDescriptors,
} from '../../src/base/descriptors.ts';
import { isStoreError } from '../../src/base/errors.ts';

test('the limit is that of this process', () => {
  const shown = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  expect(String(descriptorLimit())).toBe(shown === 'unlimited' ? 'Infinity' : shown);
});

test('storage never lacks one: what the listeners may have is left over, or the start is refused', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 200_000 }),
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 1, max: 64 }),
      (limit, queryWorkers, mergeWorkers) => {
        const storage = storageDescriptors({ queryWorkers, mergeWorkers });
        try {
          const { http, otlpHttp, otlpGrpc, grpc } = shareDescriptors(limit, storage);
          expect(http + otlpHttp + otlpGrpc + grpc + storage).toBeLessThanOrEqual(limit);
          expect(Math.min(http, otlpHttp, otlpGrpc, grpc)).toBeGreaterThanOrEqual(16);
        } catch (error) {
          if (!isStoreError(error, 'CONFIG')) throw error;
          expect(limit - storage).toBeLessThan(80);
        }
      },
    ),
  );
});

test('where there is no limit, or a huge one, the listeners take what is useful', () => {
  expect(shareDescriptors(Infinity, 700)).toEqual(CONNECTIONS_USEFUL);
  expect(shareDescriptors(1 << 30, 700)).toEqual(CONNECTIONS_USEFUL);
});

test('too few are refused in words that help', () => {
  expect(() => shareDescriptors(256, 700)).toThrow(
    /^this process may open 256 files and sockets, with these flags it needs 780 at least: raise the hard limit/,
  );
});
