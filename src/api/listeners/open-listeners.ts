// Every listener of a node, opened and closed together.
import { formatAddress } from '../../base/flag-value.ts';
import { openJaegerGrpc, openOtlpGrpc, openStorageGrpc } from './grpc-listeners.ts';
import { openAdminHttp, openHttpServer, openOtlpHttp } from './http-server.ts';

export interface Listeners {
  /** Addresses as text, by name. */
  readonly addresses: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Opens those that the flags ask for. Throws CONFIG. */
export async function openListeners(
  parts: Parameters<typeof openHttpServer>[0] & Parameters<typeof openStorageGrpc>[0],
): Promise<Listeners> {
  const opened = [
    ['http', await openHttpServer(parts)],
    ['otlpGrpc', await openOtlpGrpc(parts)],
    ['grpc', await openJaegerGrpc(parts)],
    ['otlpHttp', await openOtlpHttp(parts)],
    ['storage', await openStorageGrpc(parts)],
    ['admin', await openAdminHttp(parts)],
  ] as const;
  const listeners = opened.flatMap(([name, listener]) => (listener === undefined ? [] : [{ name, listener }]));
  const shown = listeners.map(({ name, listener: { address: host, port } }) => [name, formatAddress({ host, port })]);
  return {
    addresses: Object.fromEntries(shown) as Record<string, string>,
    // At the same time: each may take -http.maxGracefulShutdownDuration.
    close: async () => void (await Promise.all(listeners.map(({ listener }) => listener.close()))),
  };
}
