// Finds what the rules take out of an ExportTraceServiceRequest: attributes of resources, scopes, spans, events and links, at any
// depth, and names and status messages. Reads the wire as the scan does (otlp/scan-request.ts): what the scan would store, the rules
// have seen, also where a field is there twice. A malformed request throws INVALID_REQUEST, or is left to the scan to refuse.
import { setImmediate as turn } from 'node:timers/promises';
import { limits } from '../base/limits.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { doubleOf } from '../bytes/double-of.ts';
import { countFrom, WireReader, WIRE_BYTES } from '../bytes/wire-reader.ts';
import { writeCanonicalAnyValue } from '../otlp/canonical.ts';
import { BOOL, BYTES, DOUBLE, INT, LIST, MAP, STRING, wireOfMember } from '../trace/any-value.ts';
import { MISSING_SERVICE_NAME, serviceName } from '../trace/service-name.ts';
import type { FieldEdit } from './field-edits.ts';
import type { RedactionRule } from './redaction-config.ts';
import { isHashed, type HashText, type ServicePlan, type TextPlan } from './redaction-plan.ts';

export interface Redaction extends FieldEdit {
  readonly rules: readonly RedactionRule[];
}

export interface RequestRules {
  readonly planOf: (service: string) => ServicePlan;
  readonly hash: HashText;
}

/** Other requests get their turn after so long. */
const TURN_MS = 10;

/** Ascending, without overlaps. */
export async function findRedactions(body: Uint8Array, rules: RequestRules): Promise<readonly Redaction[]> {
  const finder = new RedactionFinder(body, rules);
  let turnAt = performance.now() + TURN_MS;
  while (finder.step()) {
    if (performance.now() < turnAt) continue;
    await turn();
    turnAt = performance.now() + TURN_MS;
  }
  return finder.redactions;
}

/** Field numbers of a message: of its text, its attributes, and the messages in it that have some. */
interface Shape {
  readonly text?: number;
  readonly attributes?: number;
  readonly children?: Readonly<Record<number, Shape>>;
}

const RESOURCE: Shape = { attributes: 1 };
const SCOPE: Shape = { attributes: 3 };
const EVENT: Shape = { text: 2, attributes: 3 };
const LINK: Shape = { attributes: 4 };
const STATUS: Shape = { text: 2 };
const SPAN: Shape = { text: 5, attributes: 9, children: { 11: EVENT, 13: LINK, 15: STATUS } };

/** Where a value is: what is looked for in its texts, the keys down to it, and how deep it is. */
interface Place {
  readonly texts: TextPlan | undefined;
  readonly path: string;
  readonly depth: number;
}

class RedactionFinder {
  readonly redactions: Redaction[] = [];
  readonly #body: Buffer;
  readonly #rules: RequestRules;
  readonly #request: WireReader;
  readonly #resourceSpans: WireReader;
  readonly #scopeSpans: WireReader;
  /** One for each message around the current one. */
  readonly #readers: WireReader[] = [];
  #level = 0;
  #plan: ServicePlan | undefined;

  constructor(body: Uint8Array, rules: RequestRules) {
    this.#body = Buffer.from(body.buffer, body.byteOffset, body.length);
    this.#rules = rules;
    this.#request = new WireReader(body);
    this.#resourceSpans = new WireReader(body, 0, 0);
    this.#scopeSpans = new WireReader(body, 0, 0);
  }

  /** Goes on by at most one span; false at the end of the request. */
  step(): boolean {
    const [scope, resource, request] = [this.#scopeSpans, this.#resourceSpans, this.#request];
    if (scope.next()) {
      const shape = scope.field === 2 ? SPAN : scope.field === 1 ? SCOPE : undefined;
      if (shape !== undefined && scope.wire === WIRE_BYTES) this.#message(scope.valueStart, scope.valueEnd, shape);
    } else if (resource.next()) {
      if (resource.wire !== WIRE_BYTES) return true;
      if (resource.field === 1) this.#message(resource.valueStart, resource.valueEnd, RESOURCE);
      else if (resource.field === 2) scope.reset(resource.valueStart, resource.valueEnd);
    } else {
      if (!request.next()) return false;
      if (request.field === 1 && request.wire === WIRE_BYTES) this.#enterResource(request.valueStart, request.valueEnd);
    }
    return true;
  }

  /** Two passes, as the scan: the resource may come after its spans. */
  #enterResource(start: number, end: number): void {
    const reader = this.#resourceSpans.reset(start, end);
    let service = MISSING_SERVICE_NAME;
    while (reader.next()) {
      if (reader.field === 1 && reader.wire === WIRE_BYTES) service = this.#serviceOf(reader);
    }
    this.#plan = this.#rules.planOf(service);
    if (!this.#plan.isIdle) reader.reset(start, end);
  }

  #serviceOf(resource: WireReader): string {
    try {
      return serviceName(resource.value());
    } catch (error) {
      throw countFrom(-resource.valueStart, error);
    }
  }

  /** A reader of [start, end) until #leave. */
  #enter(start: number, end: number): WireReader {
    const reader = (this.#readers[this.#level] ??= new WireReader(this.#body));
    this.#level++;
    return reader.reset(start, end);
  }

  #leave(): void {
    this.#level--;
  }

  #message(start: number, end: number, { text, attributes, children }: Shape): void {
    const reader = this.#enter(start, end);
    while (reader.next()) {
      if (reader.wire !== WIRE_BYTES) continue;
      if (reader.field === text) this.#text(reader);
      else if (reader.field === attributes) this.#keyValue(reader, '', 1);
      else {
        const child = children?.[reader.field];
        if (child !== undefined) this.#message(reader.valueStart, reader.valueEnd, child);
      }
    }
    this.#leave();
  }

  /** A name or message, which is emptied where an attribute would be dropped. */
  #text(field: WireReader): void {
    const found = this.#plan?.texts?.redact(this.#textOf(field));
    if (found !== undefined) this.#add(field, textField(field.field, found.text ?? ''), found.rules);
  }

  #keyValue(field: WireReader, parent: string, depth: number): void {
    const reader = this.#enter(field.valueStart, field.valueEnd);
    let key = '';
    while (reader.next()) if (reader.field === 1 && reader.wire === WIRE_BYTES) key = this.#textOf(reader);
    const path = parent === '' ? key : `${parent}.${key}`;
    const { whole, texts } = this.#plan!.ofKey(key, path);
    reader.reset(field.valueStart, field.valueEnd);
    if (whole === undefined) this.#searchEntry(field, reader, { texts, path, depth });
    else if (whole.action === 'drop') this.#add(field, undefined, [whole]);
    else while (reader.next()) if (reader.field === 2 && reader.wire === WIRE_BYTES) this.#replaceValue(reader, whole);
    this.#leave();
  }

  /** Looks for texts in the values of an attribute or entry, which goes as a whole if one of them is to be dropped. */
  #searchEntry(field: WireReader, reader: WireReader, place: Place): void {
    const before = this.redactions.length;
    while (reader.next()) {
      if (reader.field !== 2 || reader.wire !== WIRE_BYTES) continue;
      const dropping = this.#searchValue(reader.valueStart, reader.valueEnd, place);
      if (dropping === undefined) continue;
      this.redactions.length = before;
      return this.#add(field, undefined, dropping);
    }
  }

  /** Looks for texts in an AnyValue; returns the rules that drop it. A value that is too deep is for the scan to reject. */
  #searchValue(start: number, end: number, place: Place): readonly RedactionRule[] | undefined {
    if (place.depth > limits.anyValueDepthMax) return undefined;
    const reader = this.#enter(start, end);
    let dropping: readonly RedactionRule[] | undefined;
    while (dropping === undefined && reader.next()) {
      const { field, wire } = reader;
      if (field > BYTES || wire !== wireOfMember(field)) continue;
      if (field === LIST || field === MAP) dropping = this.#searchList(reader, place);
      else if (field !== BOOL && field !== BYTES) dropping = this.#searchScalar(reader, place.texts);
    }
    this.#leave();
    return dropping;
  }

  #searchList(member: WireReader, { texts, path, depth }: Place): readonly RedactionRule[] | undefined {
    const isMap = member.field === MAP;
    const reader = this.#enter(member.valueStart, member.valueEnd);
    let dropping: readonly RedactionRule[] | undefined;
    while (dropping === undefined && reader.next()) {
      if (reader.field !== 1 || reader.wire !== WIRE_BYTES) continue;
      if (isMap) this.#keyValue(reader, path, depth + 1);
      else dropping = this.#searchValue(reader.valueStart, reader.valueEnd, { texts, path, depth: depth + 1 });
    }
    this.#leave();
    return dropping;
  }

  /** A string, or the decimal text of a number, which becomes a string if something is found in it. */
  #searchScalar(member: WireReader, texts: TextPlan | undefined): readonly RedactionRule[] | undefined {
    const found = texts?.redact(this.#scalarText(member));
    if (found === undefined) return undefined;
    if (found.text === undefined) return found.rules;
    this.#add(member, textField(STRING, found.text), found.rules);
    return undefined;
  }

  /** Replaces the value of an attribute or entry by a text, unless it is that already. */
  #replaceValue(value: WireReader, rule: RedactionRule): void {
    const { valueStart, valueEnd } = value;
    const reader = this.#enter(valueStart, valueEnd);
    let text: string | Uint8Array | undefined;
    while (reader.next()) {
      const { field, wire } = reader;
      const isScalar = field < BYTES && field !== LIST && field !== MAP && wire === wireOfMember(field);
      text = isScalar
        ? this.#scalarText(reader)
        : field === BYTES
          ? reader.value()
          : this.#canonical(valueStart, valueEnd);
    }
    this.#leave();
    if (text === undefined || text === rule.mask) return;
    if (rule.action === 'hash' && typeof text === 'string' && isHashed(text)) return;
    const shown = rule.action === 'mask' ? rule.mask : this.#rules.hash(text);
    const out = new ByteWriter(64);
    out.message(2, () => out.stringField(STRING, shown));
    this.#add(value, out.take(), [rule]);
  }

  #scalarText(member: WireReader): string {
    switch (member.field) {
      case INT:
        return String(member.int64());
      case DOUBLE:
        return String(doubleOf(member.lo, member.hi));
      case BOOL:
        return String(member.lo !== 0 || member.hi !== 0);
      default:
        return this.#textOf(member);
    }
  }

  /** The bytes of an AnyValue that are equal for equal values. */
  #canonical(start: number, end: number): Uint8Array {
    const out = new ByteWriter();
    const isTaken = writeCanonicalAnyValue(out, new WireReader(this.#body, start, end), 1);
    return isTaken ? out.view() : this.#body.subarray(start, end);
  }

  #textOf({ valueStart, valueEnd }: WireReader): string {
    return this.#body.toString('utf8', valueStart, valueEnd);
  }

  #add({ fieldStart, pos }: WireReader, replacement: Uint8Array | undefined, rules: readonly RedactionRule[]): void {
    this.redactions.push({ start: fieldStart, end: pos, replacement, rules });
  }
}

function textField(field: number, text: string): Uint8Array {
  const out = new ByteWriter(text.length + 16);
  out.stringField(field, text);
  return out.take();
}
