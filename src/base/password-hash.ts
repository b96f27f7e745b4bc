// Hashes of passwords (scrypt) and of tokens (SHA-256). Passwords are guessable, so that their hash must be slow; a token has 256
// random bits, so that a fast one tells nobody anything.
import { hash, randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto';

/** 2^15 × 8 × 128 bytes: 32 MiB and some 80 ms a guess. */
const COST = 15;
const BLOCK = 8;
const PARALLEL = 1;
/** What a file may ask for: 256 MiB at most, so that a mistake in it cannot take the process's memory. */
const COST_MAX = 17;
const BLOCK_MAX = 16;
const PARALLEL_MAX = 4;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** `scrypt:cost:block:parallel:salt:hash`, the last two in base64url. Takes some 80 ms of the thread: for a tool. */
export function hashPassword(password: string): string {
  const salt = randomBytes(SALT_BYTES);
  const key = scryptSync(password.normalize('NFC'), salt, HASH_BYTES, optionsOf(COST, BLOCK, PARALLEL));
  return ['scrypt', COST, BLOCK, PARALLEL, salt.toString('base64url'), key.toString('base64url')].join(':');
}

/** Whether `hash` is one of `password`; false for a hash that is none. Takes some 80 ms off the thread, whatever the result. */
export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [, cost, block, parallel, salt = '', expected = ''] = hash.split(':');
  const [n = 0, r = 0, p = 0] = [cost, block, parallel].map(Number);
  const wanted = Buffer.from(expected, 'base64url');
  const isHash = n >= 1 && n <= COST_MAX && r >= 1 && r <= BLOCK_MAX && p >= 1 && p <= PARALLEL_MAX;
  if (!isHash || wanted.length !== HASH_BYTES) return false;
  const given = password.normalize('NFC');
  const found = await new Promise<Buffer>((resolve, reject) => {
    const done = (error: Error | null, key: Buffer): void => (error === null ? resolve(key) : reject(error));
    scrypt(given, Buffer.from(salt, 'base64url'), HASH_BYTES, optionsOf(n, r, p), done);
  });
  return timingSafeEqual(found, wanted);
}

function optionsOf(cost: number, r: number, p: number) {
  const N = 2 ** cost;
  // Node's own bound is exactly too little.
  return { N, r, p, maxmem: N * r * 256 };
}

/** SHA-256, 32 bytes. */
export function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** Compares in the same time for all texts, because it compares digests, which have equal lengths. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(hashSecret(given), hashSecret(expected));
}
