import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { scanBlocks } from '../../src/part/scan-blocks.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { blockOf } from './made-blocks.ts';

describe('a scan for blocks', () => {
  const blocks = [0, 1, 2].map((i) => blockOf({ first: 4 * i, count: 4 }));

  function scan(
    folder: string,
    bytes: Uint8Array,
  ): { found: number[] } & Omit<ReturnType<typeof scanBlocks>, 'damaged'> & { damaged: number[][] } {
    const path = join(folder, 'scanned');
    nodeDisk.remove(path);
    const written = nodeDisk.createFile(path);
    written.write(bytes);
    written.close();
    const file = nodeDisk.openRead(path);
    const found: number[] = [];
    const { damaged, ...rest } = scanBlocks(file, 0, (at) => found.push(at));
    file.close();
    return { found, ...rest, damaged: damaged.map(({ offset, sizeBytes }) => [offset, sizeBytes]) };
  }

  test('passes over a block header that stands inside damaged bytes, and finds the next whole block', () => {
    using folder = new TemporaryFolder();
    const [a, b, c] = blocks as [Uint8Array, Uint8Array, Uint8Array];
    const noise = Buffer.concat([Buffer.from('TLB\u0001noise TLB'), b.subarray(0, 76)]);
    const result = scan(folder.path, Buffer.concat([a, noise, c]));
    expect(result).toEqual({
      found: [0, a.length + noise.length],
      damaged: [[a.length, noise.length]],
      end: a.length + noise.length + c.length,
      tailFault: undefined,
    });
  });

  test('finds a block whose magic lies across two pieces of the search', () => {
    using folder = new TemporaryFolder();
    const noise = Buffer.alloc((1 << 20) - 1 + 1, 'n');
    expect(scan(folder.path, Buffer.concat([noise, blocks[0]!])).found).toEqual([noise.length]);
    expect(scan(folder.path, Buffer.concat([noise.subarray(0, -1), blocks[0]!])).found).toEqual([noise.length - 1]);
    expect(scan(folder.path, Buffer.concat([noise, Buffer.from('n'), blocks[0]!])).found).toEqual([noise.length + 1]);
  });

  test('takes what no whole block follows for a tail, and says when a header in it is intact', () => {
    using folder = new TemporaryFolder();
    const [a, b] = blocks as [Uint8Array, Uint8Array];
    expect(scan(folder.path, Buffer.concat([a, b.subarray(0, -1)]))).toEqual({
      found: [0],
      damaged: [],
      end: a.length,
      tailFault: undefined,
    });
    const zeroed = b.slice().fill(0, 80);
    expect(scan(folder.path, Buffer.concat([a, zeroed]))).toMatchObject({
      found: [0],
      damaged: [],
      end: a.length,
      tailFault: { offset: a.length, message: expect.stringContaining('checksum') },
    });
    expect(scan(folder.path, new Uint8Array(500))).toEqual({ found: [], damaged: [], end: 0, tailFault: undefined });
  });
});
