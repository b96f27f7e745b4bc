// Certificates made by openssl for one test: an authority, and what it signs.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TemporaryFolder } from '../storage/open-store.ts';

const openssl = '/usr/bin/openssl';
export const hasOpenssl: boolean = existsSync(openssl);

export interface MadeCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

export class MadeCertificates implements Disposable {
  readonly #folder = new TemporaryFolder();
  readonly #ca: MadeCertificate;
  #count = 0;

  constructor() {
    this.#ca = this.#make('an authority', []);
  }

  get caFile(): string {
    return this.#ca.certFile;
  }

  get ca(): string {
    return this.#ca.cert;
  }

  /** A certificate of the authority with a subject alternative name, as `DNS:localhost` or `URI:spiffe://…`; valid from now on. */
  make(san: string, days = 2): MadeCertificate {
    if (days < 0) return this.#makeExpired(san, days);
    const signed = [
      '-CA',
      this.#ca.certFile,
      '-CAkey',
      this.#ca.keyFile,
      '-addext',
      'basicConstraints=critical,CA:FALSE',
    ];
    return this.#make('one', [...signed, '-addext', `subjectAltName=${san}`]);
  }

  #make(name: string, more: readonly string[]): MadeCertificate {
    const base = join(this.#folder.path, String(this.#count++));
    const [certFile, keyFile] = [`${base}.crt`, `${base}.key`];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
    const args = ['req', '-x509', ...key, '-out', certFile, '-days', '2', '-subj', `/CN=${name}`, ...more];
    execFileSync(openssl, args, { stdio: 'pipe' });
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  }

  #makeExpired(san: string, days: number): MadeCertificate {
    const made = this.make(san);
    const request = `${made.certFile}.csr`;
    execFileSync(openssl, ['x509', '-x509toreq', '-in', made.certFile, '-signkey', made.keyFile, '-out', request]);
    const signed = ['-CA', this.#ca.certFile, '-CAkey', this.#ca.keyFile, '-days', String(days)];
    execFileSync(openssl, ['x509', '-req', '-in', request, ...signed, '-out', made.certFile], { stdio: 'pipe' });
    return { ...made, cert: readFileSync(made.certFile, 'utf8') };
  }

  /** Puts `to` in the place of `from`, as an operator renews a certificate. */
  replace(from: MadeCertificate, to: MadeCertificate): void {
    copyFileSync(to.keyFile, from.keyFile);
    copyFileSync(to.certFile, from.certFile);
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}
