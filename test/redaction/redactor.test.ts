// Whole requests: what the rules say is gone or changed, and nothing else; and the files they come from.
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createLogger } from '../../src/base/logger.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { WireReader } from '../../src/bytes/wire-reader.ts';
import { parseRedactionConfig } from '../../src/redaction/redaction-config.ts';
import { openRedactor, Redactor } from '../../src/redaction/redactor.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import {
  decodeRequest,
  encodeRequest,
  type OtlpAnyValue,
  type OtlpKeyValue,
  type OtlpRequest,
} from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';
import { attribute, RICH_TRACE, span, traceOf } from '../support/rich-trace.ts';

const KEY = 'a key of the test';
const hashOf = (text: string | Uint8Array): string =>
  `hmac:${createHmac('sha256', KEY).update(text).digest('hex').slice(0, 32)}`;

function redactorOf(...rules: object[]): Redactor {
  const redactor = new Redactor();
  redactor.configure(parseRedactionConfig(JSON.stringify({ rules })), KEY);
  return redactor;
}

async function redacted(request: OtlpRequest, ...rules: object[]): Promise<OtlpRequest> {
  return decodeRequest(await redactorOf(...rules).redact(encodeRequest(request)));
}

/** The attributes of the one span after the rules. */
async function attributesAfter(attributes: OtlpKeyValue[], ...rules: object[]): Promise<OtlpKeyValue[] | undefined> {
  const after = await redacted(traceOf([span(1, { attributes })]), ...rules);
  return after.resourceSpans![0]!.scopeSpans![0]!.spans![0]!.attributes;
}

/** The rules of the random requests, and the same on decoded messages. */
const RULES = [
  { name: 'dup', keys: 'dup', action: 'drop' },
  { name: 'method', keys: 'http\\.method', action: 'mask' },
  { name: 'key', keys: 'ключ', action: 'hash' },
  { name: 'signs', values: '^(§|-128)$', action: 'drop' },
  { name: 'cart', values: 'cart|9007199254740992', action: 'mask', mask: '*' },
];

function textAfter(text: string): string | undefined {
  return text === '§' || text === '-128' ? undefined : text.replace(/cart|9007199254740992/g, '*');
}

/** undefined: the attribute that it is in goes. */
function valueAfter(value: OtlpAnyValue): OtlpAnyValue | undefined {
  const { arrayValue, kvlistValue, stringValue, intValue, doubleValue } = value;
  if (kvlistValue?.values !== undefined)
    return { kvlistValue: listed('values', kvlistValue.values.flatMap(entryAfter)) };
  if (arrayValue?.values !== undefined) {
    const values = arrayValue.values.map(valueAfter);
    return values.includes(undefined) ? undefined : { arrayValue: { values: values as OtlpAnyValue[] } };
  }
  const text = stringValue ?? intValue ?? doubleValue;
  const after = text === undefined ? '' : textAfter(String(text));
  if (text === undefined || after === String(text)) return value;
  return after === undefined ? undefined : { stringValue: after };
}

function entryAfter(entry: OtlpKeyValue): OtlpKeyValue[] {
  const { key, value } = entry;
  if (key === 'dup') return [];
  const isWhole = key === 'http.method' || key === 'ключ';
  if (value === undefined || (isWhole && Object.keys(value).length === 0)) return [entry];
  if (key === 'http.method') return [{ key, value: { stringValue: '[redacted]' } }];
  if (key === 'ключ') return [{ key, value: { stringValue: hashedValue(value) } }];
  const after = valueAfter(value);
  return after === undefined ? [] : [{ ...entry, value: after }];
}

function hashedValue({ stringValue, boolValue, intValue, doubleValue, bytesValue }: OtlpAnyValue): string {
  const scalar = stringValue ?? boolValue ?? intValue ?? doubleValue;
  if (scalar !== undefined) return hashOf(String(scalar));
  return bytesValue === undefined ? (expect.stringMatching(/^hmac:[0-9a-f]{32}$/) as string) : hashOf(bytesValue);
}

/** What is empty is absent on the wire. */
function listed<T extends string | readonly unknown[]>(name: string, value: T): { readonly [name: string]: T } {
  return value.length === 0 ? {} : { [name]: value };
}

function messageAfter(message: object, field: string): object {
  const fields = Object.entries(message).map(([name, value]: [string, unknown]) => {
    if (name === 'attributes') return listed(name, (value as OtlpKeyValue[]).flatMap(entryAfter));
    const isText = (name === 'name' && field !== 'scope') || (name === 'message' && field === 'status');
    if (isText) return listed(name, textAfter(value as string) ?? '');
    if (Array.isArray(value) && typeof value[0] === 'object')
      return { [name]: value.map((item: object) => messageAfter(item, name)) };
    const isMessage =
      typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
    return { [name]: isMessage ? messageAfter(value, name) : value };
  });
  return Object.assign({}, ...fields) as object;
}

test('a random request has lost what the rules say, and is otherwise the same', async () => {
  const random = createRandom(printedSeed('redactor'));
  const redactor = redactorOf(...RULES);
  for (let i = 0; i < 300; i++) {
    const body = encodeRequest(randomRequest(random, 1_763_600_000_000_000_000n));
    const before = body.slice();
    const after = await redactor.redact(body);
    expect(body).toEqual(before);
    expect(decodeRequest(after)).toEqual(messageAfter(decodeRequest(body), ''));
    // What has passed once passes again as it is.
    expect(await redactor.redact(after)).toBe(after);
  }
  expect([...redactor.counts].filter(([, count]) => count === 0)).toEqual([]);
});

test('a request without anything to redact is not even copied', async () => {
  const body = encodeRequest(RICH_TRACE);
  expect(await new Redactor().redact(body)).toBe(body);
  expect(await redactorOf({ name: 'a', keys: 'no such key', action: 'drop' }, { ready: 'emails' }).redact(body)).toBe(
    body,
  );
});

describe('where a rule looks', () => {
  const mails = { ready: 'emails', mask: '*' };

  test('names of spans and events, status messages, attributes of everything; not scopes, states and schemas', async () => {
    const mail = 'a@b.org';
    const named = [attribute(mail, `to ${mail}`)];
    const given: OtlpRequest = {
      resourceSpans: [
        {
          resource: { attributes: named },
          schemaUrl: mail,
          scopeSpans: [
            {
              scope: { name: mail, version: mail, attributes: named },
              schemaUrl: mail,
              spans: [
                span(1, {
                  name: `GET ${mail}`,
                  traceState: mail,
                  attributes: named,
                  events: [{ name: mail, attributes: named }],
                  links: [{ traceState: mail, attributes: named }],
                  status: { code: 2, message: `no ${mail}` },
                }),
              ],
            },
          ],
        },
      ],
    };
    const text = JSON.stringify(await redacted(given, mails), (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    // Keys five times, the scope's name and version, both states and both schemas.
    expect(text.split(mail).length - 1).toBe(5 + 2 + 2 + 2);
    expect(text.split('to *').length - 1).toBe(5);
    expect(text).toContain('"GET *"');
    expect(text).toContain('"no *"');
  });

  test('every type of value, and lists and maps in one another', async () => {
    const card = 4111111111111111n;
    const values: OtlpAnyValue[] = [{ stringValue: `${card}` }, { intValue: card }, { doubleValue: Number(card) }];
    const cards = { ready: 'card-numbers', mask: '*' };
    const nested = { kvlistValue: { values: [attribute('k', { arrayValue: { values } })] } };
    const after = await attributesAfter(
      [...values.map((value) => ({ key: 'a', value })), attribute('n', nested)],
      cards,
    );
    const masked = { stringValue: '*' };
    expect(after).toEqual([
      ...values.map(() => ({ key: 'a', value: masked })),
      attribute('n', {
        kvlistValue: { values: [attribute('k', { arrayValue: { values: values.map(() => masked) } })] },
      }),
    ]);
    const inList = attribute('l', { arrayValue: { values: [{ stringValue: 'x' }, ...values] } });
    expect(
      await attributesAfter([attribute('keep', 'x'), inList, attribute('m', nested)], { ...cards, action: 'drop' }),
    ).toEqual([attribute('keep', 'x'), attribute('m', { kvlistValue: {} })]);
  });

  test('entries of maps, by key and by path', async () => {
    const user = attribute('user', { kvlistValue: { values: [attribute('name', 'ann'), attribute('mail', 'm')] } });
    const rules = [
      { name: 'name', keys: 'user\\.name', action: 'hash' },
      { name: 'mail', keys: 'mail', action: 'drop' },
    ];
    expect(await attributesAfter([user, attribute('name', 'a')], ...rules)).toEqual([
      attribute('user', { kvlistValue: { values: [attribute('name', hashOf('ann'))] } }),
      attribute('name', 'a'),
    ]);
  });

  test('only spans of its services, wherever their resource is in the message', async () => {
    const rule = { name: 'id', services: 'shop|missing-service-name', keys: 'id', action: 'mask', mask: '*' };
    const of = (service: string): OtlpRequest =>
      traceOf([span(1, { attributes: [attribute('id', '7')] })], [attribute('service.name', service)]);
    expect(await redacted(of('cart'), rule)).toEqual(decodeRequest(encodeRequest(of('cart'))));
    const masked = traceOf([span(1, { attributes: [attribute('id', '*')] })]);
    expect(await redacted(of('shop'), rule)).toEqual(decodeRequest(encodeRequest(masked)));
    // The resource behind its spans.
    const spans = new ByteWriter();
    spans.bytesField(2, encodedSpans('7'));
    spans.bytesField(1, Buffer.from(encodedResource('shop')));
    const request = new ByteWriter();
    request.bytesField(1, spans.take());
    const after = decodeRequest(await redactorOf(rule).redact(request.take()));
    expect(after.resourceSpans![0]!.scopeSpans![0]!.spans![0]!.attributes).toEqual([attribute('id', '*')]);
  });

  /** The fields of the first ResourceSpans, by number. */
  function fieldOf(request: OtlpRequest, number: number): Uint8Array {
    const reader = new WireReader(encodeRequest(request));
    reader.next();
    reader.reset(reader.valueStart, reader.valueEnd);
    while (reader.next()) if (reader.field === number) return reader.value().slice();
    throw new Error(`no field ${number}`);
  }
  const encodedSpans = (id: string): Uint8Array =>
    fieldOf(traceOf([span(1, { attributes: [attribute('id', id)] })]), 2);
  const encodedResource = (service: string): Uint8Array =>
    fieldOf(traceOf([], [attribute('service.name', service)]), 1);

  test('every value of an attribute that has several, of which the store would take the last', async () => {
    const twice = new ByteWriter();
    twice.stringField(1, 'other');
    for (const text of ['first', 'second']) twice.message(2, () => twice.stringField(1, text));
    twice.stringField(1, 'id');
    const request = new ByteWriter();
    const wrap = (fields: readonly number[], value: Uint8Array): void => {
      const [field, ...rest] = fields;
      if (rest.length === 0) request.bytesField(field!, value);
      else request.message(field!, () => wrap(rest, value));
    };
    wrap([1, 2, 2, 9], twice.take());
    const body = request.take();
    const after = await redactorOf({ name: 'id', keys: 'id', action: 'mask' }).redact(body);
    expect(Buffer.from(after).toString('latin1')).not.toMatch(/first|second/);
    const found = await redactorOf({ name: 'words', values: 'first|second', action: 'mask' }).redact(body);
    expect(Buffer.from(found).toString('latin1')).not.toMatch(/first|second/);
  });
});

test('equal values of any type have equal hashes, another key has others', async () => {
  const rule = { name: 'id', keys: 'id', action: 'hash' };
  const given = [attribute('id', '4711'), attribute('id', { intValue: 4711n }), attribute('id', { doubleValue: 4711 })];
  expect(await attributesAfter(given, rule)).toEqual(given.map(() => attribute('id', hashOf('4711'))));
  const other = new Redactor();
  other.configure(parseRedactionConfig(JSON.stringify({ rules: [rule] })), 'another key of the test');
  const body = await other.redact(encodeRequest(traceOf([span(1, { attributes: given })])));
  expect(JSON.stringify(decodeRequest(body).resourceSpans![0]!.scopeSpans![0]!.spans![0]!.attributes)).not.toContain(
    hashOf('4711'),
  );
});

test('values are counted by rule, and a malformed request is refused', async () => {
  const redactor = redactorOf({ name: 'a', keys: 'a', action: 'drop' }, { name: 'b', keys: 'b', action: 'mask' });
  expect([...redactor.counts]).toEqual([
    ['a', 0],
    ['b', 0],
  ]);
  const attributes = [attribute('a', '1'), attribute('a', '2'), attribute('b', '3')];
  const body = encodeRequest(traceOf([span(1, { attributes })]));
  await redactor.redact(body);
  expect([...redactor.counts]).toEqual([
    ['a', 2],
    ['b', 1],
  ]);
  await expect(redactor.redact(body.subarray(0, body.length - 1))).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

describe('the files', () => {
  const rule = (action: string): string => JSON.stringify({ rules: [{ name: 'a', keys: 'a', action }] });
  const idOf = async (redactor: Redactor): Promise<unknown> => {
    const body = await redactor.redact(encodeRequest(traceOf([span(1, { attributes: [attribute('a', '1')] })])));
    return decodeRequest(body).resourceSpans![0]!.scopeSpans![0]!.spans![0]!.attributes?.[0]?.value?.stringValue;
  };

  test('are taken up when they change; with a mistake the rules before stay', async () => {
    using folder = new TemporaryFolder();
    const [path, keyPath] = [join(folder.path, 'rules.json'), join(folder.path, 'key')];
    const lines: string[] = [];
    const logger = createLogger({ write: (line) => void lines.push(line) });
    writeFileSync(path, rule('hash'));
    writeFileSync(keyPath, `${KEY}\n`);
    using opened = openRedactor({ redactionConfigPath: path, redactionKeyPath: keyPath }, logger);
    const redactor = opened.redactor!;
    expect(await idOf(redactor)).toBe(hashOf('1'));
    writeFileSync(path, '{"rules":[{}]}');
    await expect.poll(() => lines.join(''), { timeout: 10_000 }).toContain('those before stay in force');
    expect(lines.join('')).toContain('rules[0]: expected keys, values or ready');
    expect(await idOf(redactor)).toBe(hashOf('1'));
    writeFileSync(path, rule('mask'));
    await expect.poll(() => idOf(redactor), { timeout: 10_000 }).toBe('[redacted]');
    writeFileSync(keyPath, 'another key of the test');
    writeFileSync(path, rule('hash'));
    await expect.poll(() => idOf(redactor), { timeout: 10_000 }).not.toBe('[redacted]');
  });

  test('are refused at the start', () => {
    using folder = new TemporaryFolder();
    const path = join(folder.path, 'rules.json');
    const logger = createLogger({ write: () => undefined });
    const open = (redactionKeyPath = '') => openRedactor({ redactionConfigPath: path, redactionKeyPath }, logger);
    expect(() => open()).toThrow(/^-redaction\.config=.*ENOENT/);
    writeFileSync(path, rule('hash'));
    expect(() => open()).toThrow('the rule a hashes: set -redaction.keyFile');
    const keyPath = join(folder.path, 'key');
    writeFileSync(keyPath, 'short\n');
    expect(() => open(keyPath)).toThrow('has less than 16 bytes');
    expect(openRedactor({ redactionConfigPath: '', redactionKeyPath: '' }, logger).redactor).toBeUndefined();
  });
});
