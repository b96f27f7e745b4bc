// The descriptors against the schema they are made of: complete, and with every name where a strict reader wants it.
import { describe, expect, test } from 'vitest';
import descriptor from 'protobufjs/ext/descriptor.js';
import protobuf from 'protobufjs';
import { describeFiles } from '../../../src/api/grpc/grpc-descriptors.ts';
import { describedRoot } from '../../../src/api/grpc/grpc-schema.ts';

const decoded = (root: protobuf.Root): descriptor.IFileDescriptorProto[] =>
  describeFiles(root).map((bytes) => descriptor.FileDescriptorProto.decode(bytes).toJSON());

describe('describeFiles', () => {
  test('names types in full, imports what it refers to, and makes entries of maps as protoc does', () => {
    const root = new protobuf.Root();
    protobuf.parse('syntax = "proto3"; package one; message A {} enum E { NONE = 0; SOME = 1; }', root);
    protobuf.parse(
      `syntax = "proto3"; package two.deep;
      message B { map<string, one.A> by_name = 1; oneof which { bytes raw = 2; one.E kind = 3; } repeated B inner = 4; }
      service S { rpc Get(B) returns (stream one.A); }`,
      root,
      { keepCase: true },
    );
    root.resolveAll();
    const [one, two] = decoded(root);
    expect(one).toMatchObject({ name: 'one.proto', package: 'one', syntax: 'proto3', messageType: [{ name: 'A' }] });
    expect(two).toMatchObject({
      name: 'two/deep.proto',
      package: 'two.deep',
      dependency: ['one.proto'],
      messageType: [
        {
          name: 'B',
          field: [
            {
              name: 'by_name',
              number: 1,
              label: 'LABEL_REPEATED',
              typeName: '.two.deep.B.ByNameEntry',
              jsonName: 'byName',
            },
            { name: 'raw', number: 2, type: 'TYPE_BYTES', oneofIndex: 0 },
            { name: 'kind', number: 3, type: 'TYPE_ENUM', typeName: '.one.E', oneofIndex: 0 },
            { name: 'inner', number: 4, label: 'LABEL_REPEATED', type: 'TYPE_MESSAGE', typeName: '.two.deep.B' },
          ],
          nestedType: [
            {
              name: 'ByNameEntry',
              field: [
                { name: 'key', number: 1, type: 'TYPE_STRING' },
                { name: 'value', number: 2, type: 'TYPE_MESSAGE', typeName: '.one.A' },
              ],
              options: { mapEntry: true },
            },
          ],
          oneofDecl: [{ name: 'which' }],
        },
      ],
      service: [
        { name: 'S', method: [{ name: 'Get', inputType: '.two.deep.B', outputType: '.one.A', serverStreaming: true }] },
      ],
    });
  });

  test('describes everything that is served, and every import is a file', () => {
    const files = decoded(describedRoot());
    const names = files.map(({ name }) => name);
    // A package inside a package.
    expect(names).toContain('jaeger/api_v2/metrics.proto');
    expect(names).toContain('jaeger/storage/v2.proto');
    expect(files.flatMap(({ dependency }) => dependency ?? []).filter((name) => !names.includes(name))).toEqual([]);
  });
});
