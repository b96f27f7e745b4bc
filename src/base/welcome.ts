// The line for a person at a terminal: where to click, and the next step.

export interface WelcomeOptions {
  /** -http.pathPrefix */
  readonly pathPrefix: string;
  readonly httpTls?: boolean;
  readonly otlpHttpTls?: boolean;
  readonly otlpGrpcTls?: boolean;
}

/** `addresses` by listener, as host:port. */
export function welcomeLine(addresses: Readonly<Record<string, string>>, options: WelcomeOptions): string {
  const { pathPrefix, httpTls = false, otlpHttpTls = false, otlpGrpcTls = false } = options;
  const { http = '', otlpHttp, otlpGrpc } = addresses;
  const senders = [
    otlpHttp && `${urlOf(otlpHttp, otlpHttpTls)} (HTTP)`,
    otlpGrpc && `${urlOf(otlpGrpc, otlpGrpcTls)} (gRPC)`,
  ].filter(Boolean);
  const page = `${urlOf(http, httpTls)}${pathPrefix}/`;
  const target = senders.length === 0 ? `${page}v1/traces` : senders.join(' or ');
  return `open ${page} to see what is stored; next: send OTLP traces to ${target}`;
}

/** An address of every interface is none that a browser can open. */
function urlOf(address: string, isTls: boolean): string {
  return `http${isTls ? 's' : ''}://${address.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, 'localhost')}`;
}
