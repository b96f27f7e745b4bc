// A listener that is open, and the refusal of an address that cannot be listened on.
import { StoreError } from '../../base/errors.ts';
import { formatAddress, type ListenAddress } from '../../base/flag-value.ts';

/** A route or method that a listener serves. */
export interface ServedRoute {
  readonly method: string;
  /** As registered: for gRPC the path of the method. */
  readonly pattern: string;
}

export interface OpenServer {
  /** Everything that is served, so that tests can try all of it. */
  readonly routes: readonly ServedRoute[];
  /** Its clients speak TLS. */
  readonly isTls: boolean;
  readonly address: string;
  readonly port: number;
  /** Stops accepting, and closes the connections. */
  close(): Promise<void>;
}

const WAYS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process has this port: stop it, or choose another port',
  EACCES: 'this user may not listen on this port: choose one from 1024 on, or grant CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this machine has no such address: choose one of its own, or :PORT for all of them',
  ENOTFOUND: 'this name has no address: write an IP address, or :PORT for all of them',
};

/** CONFIG that names the flag, the reason and the way out; its cause is `cause`. */
export function cannotListen(flag: string, listenAddr: ListenAddress, cause: unknown): StoreError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const reason = cause instanceof Error ? cause.message : String(cause);
  const way = WAYS[code] ?? 'choose another address';
  return new StoreError('CONFIG', `-${flag}=${formatAddress(listenAddr)}: cannot listen: ${reason}; ${way}`, { cause });
}
