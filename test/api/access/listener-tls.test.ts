// Flags of TLS that fit together or not; test/system/tls.test.ts has the handshakes.
import { expect, test } from 'vitest';
import { listenerTls, takesCertificates } from '../../../src/api/access/listener-tls.ts';
import { createLogger } from '../../../src/base/logger.ts';
import { parseConfig } from '../../../src/config.ts';
import { hasOpenssl, MadeCertificates } from '../../support/made-certificates.ts';

const logger = createLogger({ write: () => undefined });

test('without flags there is none', () => {
  const config = parseConfig([], {});
  expect(listenerTls(config, 'http', logger)).toBeUndefined();
  expect(takesCertificates(config)).toBe(false);
  expect(takesCertificates(parseConfig(['-grpc.mtlsCAFile=/x'], {}))).toBe(true);
});

test.skipIf(!hasOpenssl)(
  'a listener has its own files, and asks for certificates when it knows their authority',
  () => {
    using made = new MadeCertificates();
    const { certFile, keyFile, cert } = made.make('DNS:localhost');
    const flags = ['-tlsMinVersion=TLS13', '-grpc.tls', `-grpc.tlsCertFile=${certFile}`, `-grpc.tlsKeyFile=${keyFile}`];
    using plain = listenerTls(parseConfig(flags, {}), 'grpc', logger);
    expect(plain?.options).toMatchObject({ cert, minVersion: 'TLSv1.3', requestCert: false });
    expect(plain!.expiresMs).toBeGreaterThan(Date.now() + 86_400_000);
    const withCa = [...flags, `-grpc.mtlsCAFile=${made.caFile}`];
    using optional = listenerTls(parseConfig(withCa, {}), 'grpc', logger);
    expect(optional?.options).toMatchObject({ ca: made.ca, requestCert: true, rejectUnauthorized: false });
    using required = listenerTls(parseConfig([...withCa, '-grpc.mtls'], {}), 'grpc', logger);
    expect(required?.options).toMatchObject({ requestCert: true, rejectUnauthorized: true });
    const other = parseConfig(
      flags.map((flag) => flag.replace(keyFile, made.make('DNS:a').keyFile)),
      {},
    );
    expect(() => listenerTls(other, 'grpc', logger)).toThrow(/^-grpc\.tlsCertFile=.*mismatch/);
  },
);

test.each([
  [['-tls'], '-tls and -tlsCertFile need each other'],
  [['-tlsCertFile=/x'], '-tls and -tlsCertFile need each other'],
  [['-tls', '-tlsCertFile=/x'], '-tls and -tlsKeyFile need each other'],
  [['-mtls'], '-mtls needs -tls'],
  [['-mtlsCAFile=/x'], '-mtls needs -tls'],
  [['-tls', '-tlsCertFile=/x', '-tlsKeyFile=/x', '-mtls'], '-mtls needs -mtlsCAFile'],
  [['-tls', '-tlsCertFile=/no/such', '-tlsKeyFile=/no/such'], '-tlsCertFile=/no/such: ENOENT'],
])('%j is refused', (flags, message) => {
  for (const [listener, prefix] of [
    ['http', ''],
    ['otlpHttp', 'otlpHTTP.'],
    ['otlpGrpc', 'otlpGRPC.'],
    ['grpc', 'grpc.'],
  ] as const) {
    const own = parseConfig(
      flags.map((flag) => flag.replace('-', `-${prefix}`)),
      {},
    );
    const expected = message.replaceAll(/-(?=tls|mtls)/g, `-${prefix}`);
    expect(() => listenerTls(own, listener, logger)).toThrow(expected);
  }
});
