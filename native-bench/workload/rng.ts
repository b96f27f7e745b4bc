// A seeded pseudo-random source (sfc32): the same seed gives the same workload on every machine and Node version.
// Nothing here is cryptographic; ids only have to be unlikely to collide.

const TWO_32 = 4294967296;

export class Rng {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(seed: number) {
    this.#a = seed ^ 0x9e3779b9;
    this.#b = Math.imul(seed, 0x85ebca6b);
    this.#c = 0xc2b2ae35;
    this.#counter = 1;
    for (let i = 0; i < 20; i++) this.uint32();
  }

  uint32(): number {
    const out = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + out) | 0;
    return out >>> 0;
  }

  /** Uniform in [0, 1). */
  float(): number {
    return this.uint32() / TWO_32;
  }

  /** Uniform integer in [0, n). */
  int(n: number): number {
    return Math.floor(this.float() * n);
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(list: readonly T[]): T {
    const picked = list[this.int(list.length)];
    if (picked === undefined) throw new Error('BUG: pick from an empty list');
    return picked;
  }

  /** An index in [0, n), small ones far more often (log-uniform), the shape of product and user popularity. */
  zipf(n: number): number {
    return Math.min(n - 1, Math.floor((n + 1) ** this.float()) - 1);
  }

  /** Log-uniform integer in [min, max]. */
  logUniform(min: number, max: number): number {
    return Math.floor(min * (max / min) ** this.float());
  }

  /** Log-normal: exp(mu + sigma * N(0, 1)), the shape of latencies and sizes. */
  logNormal(mu: number, sigma: number): number {
    const radius = Math.sqrt(-2 * Math.log(Math.max(1e-9, this.float())));
    return Math.exp(mu + sigma * radius * Math.cos(2 * Math.PI * this.float()));
  }

  /** Exponential with the given mean: the gaps of independent arrivals. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.float());
  }

  bytes(size: number): Uint8Array {
    const out = new Uint8Array(size);
    for (let i = 0; i < size; i += 4) {
      const word = this.uint32();
      for (let j = i; j < i + 4 && j < size; j++) out[j] = word >>> ((j - i) * 8);
    }
    return out;
  }

  hex(digits: number): string {
    let out = '';
    while (out.length < digits) out += this.uint32().toString(16).padStart(8, '0');
    return out.slice(0, digits);
  }

  uuid(): string {
    const h = this.hex(32);
    return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20)}`;
  }
}
