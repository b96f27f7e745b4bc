// Frames files: what is written is read, and a file that is not one is refused by name.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { FrameWriter, readFrames } from '../../native-bench/workload/frames.ts';
import { defaultWorkload, requests } from '../../native-bench/workload/requests.ts';

const directory = mkdtempSync(join(tmpdir(), 'tracelith-frames-'));
afterAll(() => rmSync(directory, { recursive: true }));

test('frames written are the frames read', () => {
  const path = join(directory, 'round-trip');
  const frames = [
    ...requests({ ...defaultWorkload, startNs: 1n, spans: 500, batch: 64 }),
    { body: new Uint8Array(0), spans: 0 },
  ];
  {
    using writer = new FrameWriter(path);
    for (const frame of frames) writer.write(frame);
  }
  expect([...readFrames(path)]).toEqual(frames);
});

test.each([
  ['a torn head', Buffer.from([1, 0, 0])],
  ['a torn body', Buffer.from([9, 0, 0, 0, 1, 0, 0, 0, 5])],
  ['a length no server accepts', Buffer.alloc(64, 0xff)],
])('%s is refused with the path and the place', (what, bytes) => {
  const path = join(directory, what);
  writeFileSync(path, bytes);
  expect(() => [...readFrames(path)]).toThrow(`${path}: no whole frame at byte 0`);
});

test('an empty file has no frames', () => {
  const path = join(directory, 'empty');
  writeFileSync(path, '');
  expect([...readFrames(path)]).toEqual([]);
});
