// Bodies become the same OTLP on the main thread and on the worker, and fail with the same errors.
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { BodyPool } from '../../../src/api/http/body-pool.ts';
import { bodyToOtlp } from '../../../src/api/http/decode-body.ts';
import { newMeter, readMeter } from '../../../src/base/thread-meter.ts';
import { tracesToJson } from '../../../src/otlp/traces-to-json.ts';
import { requestOf } from '../../storage/stored-spans.ts';

const pool = new BodyPool();
afterAll(() => pool.close());

test('the threads measure themselves in one meter, in which the pauses of ended ones stay', async () => {
  const meter = newMeter();
  const pausedSeconds = (): number => readMeter(meter).pauses.minor.sumSeconds;
  const convertUntilPaused = async (measured: BodyPool): Promise<void> => {
    const before = pausedSeconds();
    const convert = async (): Promise<number> => {
      await measured.toOtlp({ bytes: new Uint8Array(json), encoding: '' }, { sizeMax: SIZE_MAX, isJson: true });
      const seconds = pausedSeconds();
      expect(seconds, 'what another pool has left').toBeGreaterThanOrEqual(before);
      return seconds;
    };
    await expect.poll(convert, { timeout: 30_000 }).toBeGreaterThan(before);
  };
  const [first, second] = [new BodyPool(meter), new BodyPool(meter)];
  expect(readMeter(meter).delayMaxSeconds).toBeUndefined();
  await convertUntilPaused(first);
  expect(readMeter(meter).delayMaxSeconds).toBeDefined();
  await first.close();
  await convertUntilPaused(second);
  await second.close();
});

const SIZE_MAX = 64 << 20;
const protobuf = requestOf({ first: 0, count: 20_000 });
const json = Buffer.concat([...tracesToJson(protobuf)]);
/** Nothing in it repeats often enough to make it small. */
const noise = Buffer.from(json.map((byte, i) => byte ^ ((i * 2_654_435_761) >>> 24)));

describe('a large body', () => {
  test.each([
    ['JSON', '', json, true],
    ['gzip of JSON', 'gzip', gzipSync(json), true],
    ['zstd of bytes', 'zstd', zstdCompressSync(noise), false],
  ])('%s is what it would be at once, and the main thread goes on meanwhile', async (_, encoding, bytes, isJson) => {
    const options = { sizeMax: SIZE_MAX, isJson };
    const expected = Buffer.from(bodyToOtlp({ bytes, encoding }, options));
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const otlp = await pool.toOtlp({ bytes: new Uint8Array(bytes), encoding }, options);
    clearInterval(timer);
    expect(Buffer.from(otlp).equals(expected)).toBe(true);
    expect(turns).toBeGreaterThan(1);
    expect(otlp.byteLength).toBe(otlp.buffer.byteLength);
  });

  test.each([
    { what: 'is no JSON', encoding: '', bytes: noise, isJson: true, code: 'INVALID_REQUEST' },
    { what: 'is no gzip', encoding: 'gzip', bytes: noise, isJson: false, code: 'INVALID_REQUEST' },
    { what: 'expands too far', encoding: 'gzip', bytes: gzipSync(noise), isJson: false, code: 'LIMIT_EXCEEDED' },
  ])('that $what fails as it would at once', async ({ encoding, bytes, isJson, code }) => {
    const options = { sizeMax: code === 'LIMIT_EXCEEDED' ? 1 << 20 : SIZE_MAX, isJson };
    let message = '';
    try {
      bodyToOtlp({ bytes, encoding }, options);
    } catch (error) {
      ({ message } = error as Error);
    }
    const failed = pool.toOtlp({ bytes: new Uint8Array(bytes), encoding }, options);
    await expect(failed).rejects.toMatchObject({ code, message });
  });

  test('of protobuf that is not compressed is passed as it is', async () => {
    expect(await pool.toOtlp({ bytes: protobuf, encoding: '' }, { sizeMax: SIZE_MAX, isJson: false })).toBe(protobuf);
  });
});

test('a small body is converted at once', async () => {
  const small = Buffer.concat([...tracesToJson(requestOf({ first: 0, count: 2 }))]);
  const otlp = await pool.toOtlp({ bytes: small, encoding: 'identity' }, { sizeMax: SIZE_MAX, isJson: true });
  expect(small.length).toBeGreaterThan(0);
  expect(Buffer.from(otlp)).toEqual(
    Buffer.from(bodyToOtlp({ bytes: small, encoding: '' }, { sizeMax: SIZE_MAX, isJson: true })),
  );
});

test('a small body that turns out large does not hold up the main thread', async () => {
  const zeros = gzipSync(new Uint8Array(48 << 20));
  expect(zeros.length).toBeLessThan(256 << 10);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const bytes = await pool.toOtlp({ bytes: zeros, encoding: 'gzip' }, { sizeMax: SIZE_MAX, isJson: false });
  clearInterval(timer);
  expect([bytes.length, turns > 1]).toEqual([48 << 20, true]);
});
