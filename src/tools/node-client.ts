// Calls of a tool to a running node over HTTP. What fails for now (no connection, 429, 502, 503, 504) is tried again for a
// while: all calls of the tools may be repeated.
import { setTimeout as delay } from 'node:timers/promises';
import { isStoreError, StoreError } from '../base/errors.ts';
import { hideLogins, splitLogin } from '../base/url-login.ts';

/** Tries before a call is given up; with the waits below, some 40 seconds: a restart of the node passes. */
const TRIES = 10;
const WAIT_MS = 1_000;
const WAIT_MS_MAX = 5_000;
const RETRIED: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export interface NodeCall {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Statuses that are answers: 200 when absent. Others throw. */
  readonly expected?: readonly number[];
}

export interface NodeClientOptions {
  /** http://HOST:PORT with -http.pathPrefix; a name and password before the host become Basic authentication. */
  readonly url: string;
  /** -partitionManageAuthKey; undefined: the node asks for none. */
  readonly authKey?: string | undefined;
  /** A bearer token; wins over a name in the URL. */
  readonly token?: string | undefined;
  readonly tries?: number;
  readonly waitMs?: number;
}

export class NodeClient {
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #tries: number;
  readonly #waitMs: number;

  /** Throws CONFIG unless the URL is one of http or https. */
  constructor({ url, authKey, token, tries = TRIES, waitMs = WAIT_MS }: NodeClientOptions) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
      throw new StoreError(
        'CONFIG',
        `${hideLogins(JSON.stringify(url))}: expected the URL of a node, as http://127.0.0.1:10428`,
      );
    const login = splitLogin(parsed.href);
    this.url = login.url.replace(/\/+$/, '');
    this.#headers = {
      ...(authKey === undefined ? {} : { authKey }),
      ...login.headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    this.#tries = tries;
    this.#waitMs = waitMs;
  }

  /** The answer with an expected status. Throws UNAVAILABLE if there is none after all tries, INVALID_REQUEST for any other. */
  async call(
    path: string,
    { method = 'POST', headers = {}, body, expected = [200] }: NodeCall = {},
  ): Promise<Response> {
    let failure = '';
    for (let tried = 0; tried < this.#tries; tried++) {
      if (tried > 0) await delay(Math.min(WAIT_MS_MAX, this.#waitMs * tried));
      const answer = await this.#try(path, {
        method,
        headers: { ...headers, ...this.#headers },
        ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      });
      if (typeof answer === 'string') {
        failure = answer;
        continue;
      }
      if (expected.includes(answer.status)) return answer;
      failure = `${answer.status} ${shorten(await answer.text().catch(String))}`;
      if (!RETRIED.has(answer.status)) throw new StoreError('INVALID_REQUEST', `${this.url}${path}: ${failure}`);
    }
    throw new StoreError('UNAVAILABLE', `${this.url}${path}: ${failure}; tried ${this.#tries} times`);
  }

  /** The answer as JSON. Throws as call(). */
  async callJson<T>(path: string, call?: NodeCall): Promise<T> {
    const text = await (await this.call(path, call)).text();
    return JSON.parse(text) as T;
  }

  /** Why there is no answer, or the answer. */
  async #try(path: string, init: RequestInit): Promise<Response | string> {
    try {
      return await fetch(this.url + path, init);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return reasonOf(error);
    }
  }
}

/** undici says "fetch failed" or "terminated" and keeps the reason in its cause. */
function reasonOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message || String(error.cause) : error.message;
}

/** How often an answer may break off before work is given up. */
const BREAKS_MAX = 3;

/** Runs `work` again when it ends UNAVAILABLE, because an answer broke off; it must not matter that it began before. */
export async function unbroken<T>(work: () => Promise<T>): Promise<T> {
  for (let breaks = 0; ; breaks++) {
    try {
      return await work();
    } catch (error) {
      if (!isStoreError(error, 'UNAVAILABLE') || breaks === BREAKS_MAX) throw error;
    }
  }
}

function shorten(text: string): string {
  return text.trim().slice(0, 300);
}

/** Reads an answer's body piece by piece. */
export class BodyReader {
  readonly #url: string;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor({ url, body }: Pick<Response, 'url' | 'body'>) {
    this.#url = url;
    this.#chunks = (body ?? new ReadableStream<Uint8Array>({ start: (end) => end.close() }))[Symbol.asyncIterator]();
  }

  /** The next `size` bytes; undefined if the body ends before the first of them. Throws UNAVAILABLE if it ends within. */
  async read(size: number): Promise<Buffer | undefined> {
    if (this.#rest.length < size) await this.#fill(size);
    if (this.#rest.length === 0 && size > 0) return undefined;
    if (this.#rest.length < size) throw this.brokenOff();
    const bytes = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return bytes;
  }

  async #fill(size: number): Promise<void> {
    const pieces = [this.#rest];
    let length = this.#rest.length;
    while (length < size) {
      const next = await this.#chunks.next().catch((cause: unknown) => {
        throw this.brokenOff(cause);
      });
      if (next.done === true) break;
      pieces.push(Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length));
      length += next.value.length;
    }
    this.#rest = Buffer.concat(pieces);
  }

  /** The error of a body that ended too early. */
  brokenOff(cause?: unknown): StoreError {
    const why = cause instanceof Error ? ` (${reasonOf(cause)})` : '';
    return new StoreError('UNAVAILABLE', `${this.#url}: the answer broke off${why}; run it again`, { cause });
  }
}
