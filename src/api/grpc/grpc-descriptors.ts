// The schema as FileDescriptorProtos, one file per package, as protoc would make them: full type names, imports, map entries
// named after their field. (protobufjs can convert too, but its files name no imports, so Go clients refuse them.)
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';

const LABEL_OPTIONAL = 1;
const LABEL_REPEATED = 3;
const TYPE_MESSAGE = 11;
const TYPE_ENUM = 14;
/** Numbers of FieldDescriptorProto.Type. */
const SCALAR_TYPES: Readonly<Record<string, number>> = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
};

/** A FileDescriptorProto for every package of `root`, encoded. */
export function describeFiles(root: protobuf.Root): Buffer[] {
  const files: Buffer[] = [];
  const visit = (namespace: protobuf.NamespaceBase): void => {
    const items = namespace.nestedArray;
    const isOfFile = (item: unknown): boolean => item instanceof protobuf.Type || item instanceof protobuf.Service;
    if (items.some(isOfFile)) files.push(describeFile(namespace));
    for (const item of items) if (item instanceof protobuf.Namespace && !isOfFile(item)) visit(item);
  };
  visit(root);
  return files;
}

function describeFile(namespace: protobuf.NamespaceBase): Buffer {
  const name = namespace.fullName.slice(1);
  const imports = new Set<string>();
  const items = namespace.nestedArray;
  const file = {
    name: fileName(namespace),
    package: name,
    syntax: 'proto3',
    messageType: items.filter((item) => item instanceof protobuf.Type).map((type) => describeType(type, imports)),
    enumType: items.filter((item) => item instanceof protobuf.Enum).map(describeEnum),
    service: items
      .filter((item) => item instanceof protobuf.Service)
      .map((service) => describeService(service, imports)),
    dependency: [] as string[],
  };
  imports.delete(file.name);
  file.dependency = [...imports].toSorted();
  const { FileDescriptorProto } = descriptor;
  return Buffer.from(FileDescriptorProto.encode(FileDescriptorProto.fromObject(file)).finish());
}

/** For example, jaeger.storage.v2 is described in jaeger/storage/v2.proto. */
function fileName(namespace: protobuf.NamespaceBase): string {
  return `${namespace.fullName.slice(1).replaceAll('.', '/')}.proto`;
}

/** The full name of a type as descriptors write it; adds the type's file to `imports`. */
function reference(type: protobuf.Type | protobuf.Enum, imports: Set<string>): string {
  let owner = type.parent;
  while (owner instanceof protobuf.Type) owner = owner.parent;
  imports.add(fileName(owner!));
  return type.fullName;
}

function describeType(type: protobuf.Type, imports: Set<string>): object {
  const maps = type.fieldsArray.filter((field) => field instanceof protobuf.MapField);
  const nested = type.nestedArray;
  return {
    name: type.name,
    field: type.fieldsArray.map((field) => describeField(type, field, imports)),
    nestedType: [
      ...nested.filter((item) => item instanceof protobuf.Type).map((inner) => describeType(inner, imports)),
      ...maps.map((map) => describeEntry(map, imports)),
    ],
    enumType: nested.filter((item) => item instanceof protobuf.Enum).map(describeEnum),
    oneofDecl: type.oneofsArray.map(({ name }) => ({ name })),
  };
}

function describeField(type: protobuf.Type, field: protobuf.Field, imports: Set<string>): object {
  const { name, id: number, repeated, partOf } = field;
  const common = {
    name,
    number,
    jsonName: protobuf.util.camelCase(name),
    ...(partOf === null ? {} : { oneofIndex: type.oneofsArray.indexOf(partOf) }),
  };
  if (field instanceof protobuf.MapField) {
    return { ...common, label: LABEL_REPEATED, type: TYPE_MESSAGE, typeName: `${type.fullName}.${entryName(field)}` };
  }
  return { ...common, label: repeated ? LABEL_REPEATED : LABEL_OPTIONAL, ...describeValue(field, imports) };
}

/** protoc's name of the message that holds one entry of a map: FieldNameEntry. */
function entryName({ name }: protobuf.MapField): string {
  return `${protobuf.util.ucFirst(protobuf.util.camelCase(name))}Entry`;
}

function describeEntry(map: protobuf.MapField, imports: Set<string>): object {
  const label = LABEL_OPTIONAL;
  return {
    name: entryName(map),
    field: [
      { name: 'key', number: 1, label, jsonName: 'key', type: SCALAR_TYPES[map.keyType] },
      { name: 'value', number: 2, label, jsonName: 'value', ...describeValue(map, imports) },
    ],
    options: { mapEntry: true },
  };
}

function describeValue(field: protobuf.Field | protobuf.MapField, imports: Set<string>): object {
  const { resolvedType } = field.resolve();
  if (resolvedType === null) return { type: SCALAR_TYPES[field.type] };
  const type = resolvedType instanceof protobuf.Enum ? TYPE_ENUM : TYPE_MESSAGE;
  return { type, typeName: reference(resolvedType, imports) };
}

function describeEnum({ name, values }: protobuf.Enum): object {
  return { name, value: Object.entries(values).map(([value, number]) => ({ name: value, number })) };
}

function describeService(service: protobuf.Service, imports: Set<string>): object {
  return {
    name: service.name,
    method: service.methodsArray.map((method) => ({
      name: method.name,
      inputType: reference(service.parent!.lookupType(method.requestType), imports),
      outputType: reference(service.parent!.lookupType(method.responseType), imports),
      serverStreaming: method.responseStream === true,
    })),
  };
}
