// A small OpenID issuer on loopback: its configuration, its keys, and client-credentials tokens as oauth2client asks for them.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

export interface Claims {
  readonly [name: string]: unknown;
}

export class TokenIssuer implements AsyncDisposable {
  readonly #server: Server;
  readonly #keys: { kid: string; key: CryptoKey; jwk: JWK }[] = [];
  /** Requests by path. */
  readonly asked: string[] = [];
  /** Answers 500. */
  isDown = false;

  private constructor() {
    this.#server = createServer((request, response) => {
      const path = request.url ?? '';
      this.asked.push(path);
      if (this.isDown) response.writeHead(500).end();
      else void this.#answer(path).then((body) => response.setHeader('content-type', 'application/json').end(body));
    });
  }

  static async open(): Promise<TokenIssuer> {
    const issuer = new TokenIssuer();
    await new Promise<void>((resolve) => issuer.#server.listen(0, '127.0.0.1', resolve));
    await issuer.rotate();
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get jwks(): string {
    return `${this.url}/keys`;
  }

  /** Adds a key, which signs from now on, and removes all others. */
  async rotate(): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const kid = `key ${this.asked.length} ${Math.random()}`;
    const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' };
    this.#keys.splice(0, this.#keys.length, { kid, key: privateKey, jwk });
  }

  /** Signs `claims` beside iss, aud, iat and exp in five minutes, which they override; undefined leaves one out. */
  async sign(claims: Claims = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const all = { iss: this.url, aud: 'tracelith', sub: 'shop', iat: now, exp: now + 300, ...claims };
    const [{ kid, key } = { kid: '', key: undefined }] = this.#keys;
    return await new SignJWT(all).setProtectedHeader({ alg: 'ES256', kid }).sign(key!);
  }

  async #answer(path: string): Promise<string> {
    if (path === '/keys') return JSON.stringify({ keys: this.#keys.map(({ jwk }) => jwk) });
    if (path === '/token') {
      const access_token = await this.sign({ scope: 'ingest query', tenants: ['0:0'] });
      return JSON.stringify({ access_token, token_type: 'Bearer', expires_in: 300 });
    }
    return JSON.stringify({ issuer: this.url, jwks_uri: this.jwks });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
