// Health and server reflection as a client sees them.
import { connect } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client, credentials, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import type { IntakeAccount } from '../../../src/api/edge/intake.ts';
import { DEFAULT_TENANT } from '../../../src/trace/tenant.ts';
import { openGrpcListener, type GrpcListener } from '../../support/grpc-listener.ts';

let listener: GrpcListener;
beforeAll(async () => {
  listener = await openGrpcListener();
});
afterAll(async () => {
  await listener[Symbol.asyncDispose]();
});

const SERVICES = [
  'jaeger.storage.v2.TraceReader',
  'jaeger.storage.v2.DependencyReader',
  'jaeger.storage.v2.Capabilities',
  'jaeger.api_v3.QueryService',
  'jaeger.api_v2.QueryService',
  'jaeger.api_v2.metrics.MetricsQueryService',
  'opentelemetry.proto.collector.trace.v1.TraceService',
];

describe('health', () => {
  test.each(['', 'jaeger.storage.v2.TraceWriter', ...SERVICES])(
    '"%s" is serving while the store is ready',
    async (name) => {
      expect(await listener.client.getHealth(name)).toBe(1);
      listener.ready.isReady = false;
      expect(await listener.client.getHealth(name)).toBe(2);
      listener.ready.isReady = true;
    },
  );

  test('is told though what its tenant sends has filled its share of the way in', async () => {
    const held: IntakeAccount[] = [];
    const fill = (): void => {
      for (;;) held.push(listener.intake.open(DEFAULT_TENANT));
    };
    expect(fill).toThrow('no room for');
    try {
      expect(await listener.client.getHealth('')).toBe(1);
    } finally {
      for (const account of held) account[Symbol.dispose]();
    }
  });

  test('of an unknown service is NOT_FOUND', async () => {
    await expect(listener.client.getHealth('nobody')).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test('a watch tells each change, and ends when the server closes', async () => {
    // Nothing but the end of the watch lets the server close.
    const own = await openGrpcListener({ shutdownMax: '1h', flags: ['-shutdownTimeout=1h'] });
    const watch = own.client.open({ path: '/grpc.health.v1.Health/Watch', request: 'HealthOf', message: {} });
    const told: string[] = [];
    watch.on('data', (message: Buffer) => void told.push(message.toString('hex')));
    const ended = new Promise((resolve) => watch.on('end', resolve));
    await expect.poll(() => told).toEqual(['0801']);
    own.ready.isReady = false;
    await expect.poll(() => told, { timeout: 3_000 }).toEqual(['0801', '0802']);
    own.ready.isReady = true;
    await expect.poll(() => told, { timeout: 3_000 }).toEqual(['0801', '0802', '0801']);
    await own.close();
    await ended;
    expect(told).toEqual(['0801', '0802', '0801', '0802']);
    await own[Symbol.asyncDispose]();
  });
});

const { root } = protobuf.parse(
  `syntax = "proto3";
  message Ask { oneof ask { string file_by_filename = 3; string file_containing_symbol = 4; string list_services = 7; } }
  message Files { repeated bytes file_descriptor_proto = 1; }
  message Service { string name = 1; }
  message Services { repeated Service service = 1; }
  message Failure { int32 error_code = 1; string error_message = 2; }
  message Answer { Files files = 4; Services services = 6; Failure failure = 7; }
  message File { string name = 1; string package = 2; repeated string dependency = 3; }`,
);

interface Answer {
  readonly files?: { readonly fileDescriptorProto: readonly Uint8Array[] };
  readonly services?: { readonly service: readonly { readonly name: string }[] };
  readonly failure?: { readonly errorCode: number };
}

function reflect(version: string, question: object): Promise<Answer> {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const client = new Client(listener.address, credentials.createInsecure());
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  return new Promise<Answer>((resolve, reject) => {
    const stream = client.makeBidiStreamRequest(path, asIs, asIs);
    stream.on('data', (message: Buffer) => resolve(root.lookupType('Answer').decode(message).toJSON() as Answer));
    stream.on('error', reject);
    stream.write(Buffer.from(root.lookupType('Ask').encode(question).finish()));
    stream.end();
  }).finally(() => client.close());
}

describe.each(['v1', 'v1alpha'])('reflection %s', (version) => {
  test('lists what is served', async () => {
    const { services } = await reflect(version, { listServices: '*' });
    expect(services?.service.map(({ name }) => name).toSorted()).toEqual(
      [...SERVICES, 'grpc.health.v1.Health'].toSorted(),
    );
  });

  test.each([...SERVICES, 'grpc.health.v1.Health', 'jaeger.storage.v2.TraceReader.GetTraces'])(
    'gives the file of %s with all it imports',
    async (symbol) => {
      const { files } = await reflect(version, { fileContainingSymbol: symbol });
      const file = root.lookupType('File');
      const read = files!.fileDescriptorProto.map(
        (bytes) =>
          file.decode(Buffer.from(String(bytes), 'base64')).toJSON() as { name: string; dependency?: string[] },
      );
      const names = read.map(({ name }) => name);
      expect(read.flatMap(({ dependency = [] }) => dependency).filter((name) => !names.includes(name))).toEqual([]);
    },
  );

  test('reads no more questions while its answers are not taken', async () => {
    const session = connect(`http://${listener.address}`, { maxSessionMemory: 1_000 });
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
    // Names of files that are not there: each answer repeats one. Together some 20 MB.
    const ask = root.lookupType('Ask').encode({ fileByFilename: 'x'.repeat(40_000) });
    const bytes = ask.finish();
    const head = Buffer.from([0, 0, 0, 0, 0]);
    head.writeUInt32BE(bytes.length, 1);
    let sent = 0;
    for (let i = 0; i < 500; i++) stream.write(Buffer.concat([head, bytes]), () => sent++);
    // Nothing tells that no further question will be read but time.
    await delay(300);
    expect(sent).toBeLessThan(200);
    stream.on('error', () => undefined).close();
    session.close();
  });

  test('says when there is no such thing', async () => {
    expect((await reflect(version, { fileContainingSymbol: 'nobody' })).failure?.errorCode).toBe(status.NOT_FOUND);
  });
});
