import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { commitParts } from '../../src/index/catalog.ts';
import { type Environment, type IndexReader, openEnvironment } from '../../src/index/environment.ts';
import { ATTRIBUTE_LEVELS } from '../../src/trace/attribute-levels.ts';
import { eraseNames, listOperations, listServices, listTags, NameSet, type Tag } from '../../src/index/names.ts';
import { OTHER_NAMES } from '../../src/trace/service-name.ts';
import { compareUtf8 } from '../../src/trace/attributes.ts';
import type { Operation } from '../../src/trace/store.ts';
import type { Tenant } from '../../src/trace/tenant.ts';

const A = '0:0' as Tenant;
const B = '4294967295:4294967295' as Tenant;
const C = '4294967295:7' as Tenant;

let folder: string;
let env: Environment;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracelith-names-'));
  env = openEnvironment({ path: join(folder, 'index'), disk: nodeDisk });
});
afterEach(() => {
  env.close();
  rmSync(folder, { recursive: true, force: true });
});

const commit = (names: NameSet): number => commitParts(env, { add: [], remove: [], names });
const byUtf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
const anyText = fc.string({ unit: 'grapheme', maxLength: 20 });

describe('NameSet', () => {
  test('adding says whether it was new; kinds and services keep names apart', () => {
    const names = new NameSet();
    expect(names.isEmpty).toBe(true);
    expect(names.addOperation(A, 'cart', 'GET /', 2)).toBe(true);
    expect(names.addOperation(A, 'cart', 'GET /', 2)).toBe(false);
    expect(names.addOperation(A, 'cart', 'GET /', 3)).toBe(true);
    expect(names.addOperation(A, 'shop', 'GET /', 2)).toBe(true);
    expect(names.addOperation(B, 'cart', 'GET /', 2)).toBe(true);
    expect(names.addTag(A, 'k', 'span', 1)).toBe(true);
    expect(names.addTag(A, 'k', 'span', 1)).toBe(false);
    expect(names.addTag(A, 'k', 'event', 1)).toBe(true);
    expect(names.addTag(A, 'k', 'span', 3)).toBe(true);
    expect(names.services(A)).toEqual(['cart', 'shop']);
    expect(names.operations(A, 'cart')).toEqual([
      { name: 'GET /', kind: 2 },
      { name: 'GET /', kind: 3 },
    ]);
    expect(names.operations(A, 'none')).toEqual([]);
    expect(names.services(C)).toEqual([]);
    expect(names.tags(C)).toEqual([]);
  });

  test('clear empties it; sizeBytes grows with every entry and goes back to 0', () => {
    const names = new NameSet();
    let last = names.sizeBytes;
    expect(last).toBe(0);
    for (let i = 0; i < 50; i++) {
      names.addOperation(A, `s${i % 5}`, `op${i}`, i % 6);
      names.addTag(A, `tag${i}`, 'resource', 1);
      expect(names.sizeBytes).toBeGreaterThan(last);
      last = names.sizeBytes;
    }
    names.addOperation(A, 's0', 'op0', 0);
    names.addTag(A, 'tag0', 'resource', 1);
    expect(names.sizeBytes).toBe(last);
    names.clear();
    expect([names.sizeBytes, names.isEmpty, names.services(A)]).toEqual([0, true, []]);
  });

  test('merge is the union', () => {
    const left = new NameSet();
    const right = new NameSet();
    left.addOperation(A, 'x', 'one', 1);
    right.addOperation(A, 'x', 'two', 1);
    right.addOperation(B, 'y', 'one', 1);
    right.addTag(B, 'k', 'link', 7);
    left.merge(right);
    left.merge(right);
    expect(left.operations(A, 'x').map((op) => op.name)).toEqual(['one', 'two']);
    expect(left.services(B)).toEqual(['y']);
    expect(left.tags(B)).toEqual([{ key: 'k', level: 'link', type: 7 }]);
    expect(right.operations(A, 'x').map((op) => op.name)).toEqual(['two']);
  });
});

describe('on disk', () => {
  test('what was committed is listed, also after reopening, tenants apart', () => {
    const names = new NameSet();
    names.addOperation(A, 'b', 'z', 2);
    names.addOperation(A, 'b', 'z', 1);
    names.addOperation(A, 'b', 'a', 5);
    names.addOperation(A, 'a', 'only', 0);
    names.addOperation(B, 'other', 'x', -7);
    names.addOperation(C, 'third', 'x', 2147483647);
    for (const level of ATTRIBUTE_LEVELS) names.addTag(A, 'http.method', level, 1);
    names.addTag(B, 'k', 'span', 255);
    commit(names);
    env.close();
    env = openEnvironment({ path: join(folder, 'index'), disk: nodeDisk });
    expect(listServices(env, A)).toEqual(['a', 'b']);
    expect(listServices(env, B)).toEqual(['other']);
    expect(listServices(env, C)).toEqual(['third']);
    expect(listServices(env, '1:0' as Tenant)).toEqual([]);
    expect(listOperations(env, A, 'b')).toEqual([
      { name: 'a', kind: 5 },
      { name: 'z', kind: 1 },
      { name: 'z', kind: 2 },
    ]);
    expect(listOperations(env, B, 'other')).toEqual([{ name: 'x', kind: -7 }]);
    expect(listOperations(env, C, 'third')).toEqual([{ name: 'x', kind: 2147483647 }]);
    expect(listOperations(env, A, 'other')).toEqual([]);
    expect(listTags(env, A)).toEqual(ATTRIBUTE_LEVELS.map((level) => ({ key: 'http.method', level, type: 1 })));
    expect(listTags(env, B)).toEqual([{ key: 'k', level: 'span', type: 255 }]);
  });

  test('names of any content and up to 4,096 characters round trip: empty, NUL, emoji, replacement character', () => {
    const texts = [
      '',
      'x'.repeat(4_095),
      'x'.repeat(4_095) + 'y',
      'a\0b',
      '\u{1F600}',
      '\uFFFD',
      '\uFEFFbom',
      'é',
      'e\u0301',
      ' ',
    ];
    const names = new NameSet();
    for (const text of texts) {
      names.addOperation(A, text, text, 1);
      names.addTag(A, text, 'span', 1);
    }
    commit(names);
    const sorted = [...texts].sort(byUtf8);
    expect(listServices(env, A)).toEqual(sorted);
    expect(listTags(env, A).map((tag) => tag.key)).toEqual(sorted);
    for (const text of texts) expect(listOperations(env, A, text)).toEqual([{ name: text, kind: 1 }]);
  });

  test('any set of names, committed in any portions, lists as the set itself does', () => {
    const operation = fc.tuple(fc.constantFrom(A, B, C), anyText, anyText, fc.integer({ min: -3, max: 7 }));
    const tag = fc.tuple(
      fc.constantFrom(A, B, C),
      anyText,
      fc.constantFrom(...ATTRIBUTE_LEVELS),
      fc.integer({ min: 0, max: 7 }),
    );
    let run = 0;
    const commitsListAsTheUnion = fc.property(
      fc.array(fc.tuple(fc.array(operation), fc.array(tag)), { maxLength: 4 }),
      (portions) => {
        const path = join(folder, `run${run++}`);
        using index = openEnvironment({ path, disk: nodeDisk });
        const all = new NameSet();
        for (const [operations, tags] of portions) {
          const names = new NameSet();
          for (const [tenant, service, name, kind] of operations) names.addOperation(tenant, service, name, kind);
          for (const [tenant, key, level, type] of tags) names.addTag(tenant, key, level, type);
          commitParts(index, { add: [], remove: [], names });
          all.merge(names);
        }
        for (const tenant of [A, B, C]) {
          expect(listServices(index, tenant)).toEqual(all.services(tenant));
          for (const service of all.services(tenant))
            expect(listOperations(index, tenant, service)).toEqual(all.operations(tenant, service));
          expect(listTags(index, tenant)).toEqual(all.tags(tenant));
        }
      },
    );
    fc.assert(commitsListAsTheUnion, { numRuns: 40 });
  });

  test('services are listed without a look at their operations', () => {
    const names = new NameSet();
    for (let s = 0; s < 100; s++) for (let o = 0; o < 50; o++) names.addOperation(A, `service-${s}`, `op ${o}`, o % 6);
    commit(names);
    let looked = 0;
    const counting: IndexReader = {
      find: (key) => env.find(key),
      *scan(range) {
        for (const entry of env.scan(range)) {
          looked++;
          yield entry;
        }
      },
    };
    expect(listServices(counting, A).length).toBe(100);
    expect(looked).toBe(100);
    expect(listOperations(counting, A, 'service-99').length).toBe(50);
    expect(looked).toBe(150);
  });
});

describe('names beyond the bounds', () => {
  const bounds = { servicesPerTenantMax: 3, operationsPerServiceMax: 5, tagsPerTenantMax: 4, nameLengthMax: 4_096 };
  const anyService = fc.constantFrom('a', 'b', 'c', 'd', 'e', OTHER_NAMES);
  const anyOperation = fc.tuple(
    anyService,
    fc.oneof(fc.constantFrom('x', OTHER_NAMES, 'y'.repeat(4_097)), anyText),
    fc.integer({ min: -1, max: 7 }),
  );

  /** What a list of so many may have: them, and OTHER_NAMES with each kind of OTLP. */
  function checkLists(
    given: ReadonlyMap<string, ReadonlySet<string>>,
    lists: { services: () => string[]; operations: (service: string) => Operation[]; tags: () => Tag[] },
  ): void {
    const services = lists.services();
    expect(services.length).toBeLessThanOrEqual(bounds.servicesPerTenantMax + 1);
    expect(lists.tags().length).toBeLessThanOrEqual(bounds.tagsPerTenantMax);
    for (const [service, names] of given) {
      // Every service is listed, or others are.
      expect(services.some((listed) => listed === service || listed === OTHER_NAMES)).toBe(true);
      if (!services.includes(service)) continue;
      const operations = lists.operations(service);
      expect(operations.length).toBeLessThanOrEqual(bounds.operationsPerServiceMax + 6);
      for (const name of names) {
        const isListed = operations.some((listed) => listed.name === name || listed.name === OTHER_NAMES);
        // A portion with too many services has those that are listed already among the other ones.
        expect(isListed || services.includes(OTHER_NAMES)).toBe(true);
      }
      if (service === OTHER_NAMES) continue;
      for (const { name } of operations) expect(names.has(name) || name === OTHER_NAMES).toBe(true);
    }
  }

  test('stay on disk while their tenant keeps a name, and go, with its tags, when it keeps none', () => {
    const names = new NameSet(bounds);
    for (const tenant of [A, B]) {
      for (const service of ['a', 'b', 'c', 'd']) {
        for (let o = 0; o < 7; o++) names.addOperation(tenant, service, `op ${o}`, 2);
      }
      names.addTag(tenant, 'k', 'span', 1);
    }
    commit(names);
    const erase = (kept: NameSet): number => env.transaction('erase names', (txn) => eraseNames(txn, A, kept));
    const listed = (tenant: Tenant): unknown => [
      listServices(env, tenant),
      ['a', 'b', 'c', OTHER_NAMES].map((service) => listOperations(env, tenant, service).length),
      listTags(env, tenant).length,
    ];
    const all = [['a', 'b', 'c', OTHER_NAMES], [6, 6, 6, 6], 1];
    expect([listed(A), listed(B)]).toEqual([all, all]);
    const kept = new NameSet();
    kept.addOperation(A, 'a', 'op 0', 2);
    erase(kept);
    expect(listed(A)).toEqual([['a', OTHER_NAMES], [2, 0, 0, 6], 1]);
    erase(new NameSet());
    expect([listed(A), listed(B)]).toEqual([[[], [0, 0, 0, 0], 0], all]);
    expect(erase(new NameSet())).toBe(0);
  });

  test('are listed as other ones and counted, in memory and on disk, whatever comes in whatever portions', () => {
    let run = 0;
    const anyPortion = fc.tuple(fc.array(anyOperation), fc.array(anyText));
    fc.assert(
      fc.property(fc.array(anyPortion, { maxLength: 5 }), (portions) => {
        using index = openEnvironment({ path: join(folder, `bounded${run++}`), disk: nodeDisk });
        const given = new Map<string, Set<string>>();
        const all = new NameSet(bounds);
        for (const [operations, tags] of portions) {
          const names = new NameSet(bounds);
          for (const [service, name, kind] of operations) {
            names.addOperation(A, service, name, kind);
            given.set(service, (given.get(service) ?? new Set()).add(name));
          }
          for (const key of tags) names.addTag(A, key, 'span', 1);
          all.merge(names);
          commitParts(index, { add: [], remove: [], names });
          const services = [...given.keys()];
          const isFolded = services.some((service) => !listServices(index, A).includes(service));
          if (isFolded) expect(names.foldedCount + all.foldedCount).toBeGreaterThan(0);
        }
        const inMemory = { services: () => all.services(A), tags: () => all.tags(A) };
        checkLists(given, { ...inMemory, operations: (service) => all.operations(A, service) });
        const onDisk = { services: () => listServices(index, A), tags: () => listTags(index, A) };
        checkLists(given, { ...onDisk, operations: (service) => listOperations(index, A, service) });
      }),
      { numRuns: 60 },
    );
  });

  test('a client that calls its spans so lists no kinds beyond those of OTLP', () => {
    const names = new NameSet(bounds);
    for (let kind = -1; kind < 40; kind++) names.addOperation(A, 'a', OTHER_NAMES, kind);
    expect(names.operations(A, 'a').length).toBe(6);
    commit(names);
    expect(listOperations(env, A, 'a').length).toBe(6);
  });

  test('keep their kind where OTLP knows it, are not counted below the bounds, and take no place of others', () => {
    const names = new NameSet(bounds);
    for (let i = 0; i < 5; i++) names.addOperation(A, 'a', `op${i}`, 1);
    expect(names.foldedCount).toBe(0);
    for (const kind of [2, 3, 99, -1, 2]) expect([names.addOperation(A, 'a', `more${kind}`, kind), kind]).toBeDefined();
    expect(names.foldedCount).toBe(5);
    expect(names.operations(A, 'a').filter(({ name }) => name === OTHER_NAMES)).toEqual(
      [0, 2, 3].map((kind) => ({ name: OTHER_NAMES, kind })),
    );
    commit(names);
    const more = new NameSet(bounds);
    more.addOperation(A, 'a', 'op5', 4);
    more.addOperation(A, 'a', 'op1', 1);
    commit(more);
    expect(more.foldedCount).toBe(1);
    expect(listOperations(env, A, 'a').map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      ...[0, 1, 2, 3, 4].map((i) => `op${i} 1`),
      ...[0, 2, 3, 4].map((kind) => `${OTHER_NAMES} ${kind}`),
    ]);
  });
});

describe('order', () => {
  test('compareUtf8 orders as the bytes do', () => {
    const text = fc.string({ unit: 'binary', maxLength: 6 });
    const near = fc
      .array(fc.constantFrom('a', '\u007f', '\u07ff', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'), {
        maxLength: 4,
      })
      .map((parts) => parts.join(''));
    const either = fc.oneof(text, near);
    fc.assert(
      fc.property(either, either, (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(byUtf8(a, b));
      }),
      { numRuns: 2000 },
    );
  });

  test('lists do not depend on the order of adding', () => {
    const operations: Operation[] = [
      { name: 'b', kind: 1 },
      { name: 'a', kind: 2 },
      { name: 'a', kind: 1 },
    ];
    const tags: Tag[] = [
      { key: 'k', level: 'span', type: 2 },
      { key: 'k', level: 'resource', type: 9 },
      { key: 'a', level: 'link', type: 1 },
    ];
    const forward = new NameSet();
    const backward = new NameSet();
    for (const { name, kind } of operations) forward.addOperation(A, 's', name, kind);
    for (const { name, kind } of operations.toReversed()) backward.addOperation(A, 's', name, kind);
    for (const { key, level, type } of tags) forward.addTag(A, key, level, type);
    for (const { key, level, type } of tags.toReversed()) backward.addTag(A, key, level, type);
    expect(forward.operations(A, 's')).toEqual(backward.operations(A, 's'));
    expect(forward.tags(A)).toEqual(backward.tags(A));
    expect(forward.tags(A).map((tag) => `${tag.key} ${tag.level}`)).toEqual(['a link', 'k resource', 'k span']);
  });
});
