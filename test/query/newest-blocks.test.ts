// Blocks come by their latest start, whatever part, log file or day they are in, and no part is opened before one of its own
// may come.
import { dirname } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { PartitionView, ViewLogBlock, ViewPart } from '../../src/partition/view.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { BlockSource, type CandidateBlock } from '../../src/query/block-source.ts';
import { Deadline } from '../../src/query/deadline.ts';
import { NewestBlocks, type WaitingBlock } from '../../src/query/newest-blocks.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import { DAY_NS } from '../../src/trace/day-clock.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { requestOf, span } from '../block/scanned.ts';
import { ANY_TRACE, MadeStore, searchTraceIds } from './made-store.ts';

/** Latest starts of the blocks of a part. */
const part = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 6 });
const day = fc.record({ parts: fc.array(part, { maxLength: 6 }), logs: part });

test('come in order, and a part is opened only when it is due', () => {
  fc.assert(
    fc.property(fc.array(day, { maxLength: 4 }), fc.nat({ max: 60 }), (days, taken) => {
      const opened: { day: number; starts: readonly number[] }[] = [];
      const passed: ViewPart[] = [];
      const starts = new Map<ViewPart, readonly number[]>();
      const views = days.map(({ parts, logs }, number): PartitionView => {
        const dayNs = BigInt(number) * BigInt(DAY_NS);
        const made = parts.map((own): ViewPart => {
          const startMaxNs = dayNs + BigInt(Math.max(0, ...own));
          const place = {
            identity: newIdentity(),
            path: '',
            blocks: own.length,
            rowCount: 0,
            startMinNs: dayNs,
            startMaxNs,
          };
          starts.set(place, own);
          return place;
        });
        const logBlocks = logs.map((startMax) => ({ startMax }) as ViewLogBlock);
        return { day: number, path: '', parts: made, logBlocks };
      });
      const waiting = (dayOf: number, own: readonly number[]): WaitingBlock<CandidateBlock>[] =>
        own.map((startMax) => ({ startMax, take: () => ({ day: dayOf, startMax }) as CandidateBlock }));
      const blocks = new NewestBlocks(views, {
        openPart: (dayOf, place) => {
          opened.push({ day: dayOf, starts: starts.get(place)! });
          return waiting(dayOf, starts.get(place)!);
        },
        openLog: (dayOf, places) =>
          waiting(
            dayOf,
            places.map(({ startMax }) => startMax),
          ),
        passPart: (place) => passed.push(place),
      });
      const all = days
        .flatMap(({ parts, logs }, number) => [...parts.flat(), ...logs].map((startMax) => ({ day: number, startMax })))
        .sort((x, y) => y.day - x.day || y.startMax - x.startMax);
      const got: CandidateBlock[] = [];
      for (let next = blocks.next(); next !== undefined; next = blocks.next()) {
        got.push(next);
        if (got.length === taken) break;
      }
      expect(got).toEqual(taken === 0 ? all : all.slice(0, taken));
      const last = got.at(-1);
      if (taken > 0 && got.length === taken) {
        for (const one of opened)
          expect(one.day > last!.day || one.starts.length === 0 || Math.max(...one.starts) >= last!.startMax).toBe(
            true,
          );
        expect(blocks.passRest()).toBe(all.length - taken);
      }
      expect(opened.length + passed.length).toBe(starts.size);
    }),
  );
});

describe('a search of the newest traces', () => {
  test('opens the parts of the newest blocks and no others', () => {
    using store = new MadeStore();
    const at = (minute: number): bigint => 20_777n * 86_400_000_000_000n + BigInt(minute) * 60_000_000_000n;
    for (let minute = 1; minute <= 40; minute++) {
      const spans = [1, 2].map((id) => span(id, { trace: minute, startTimeUnixNano: at(minute) }));
      store.addPart([requestOf(spans)]);
    }
    const places = store.view.partitions[0]!.parts;
    const search = (limit: number): { traces: number[]; opened: number[]; source: BlockSource } => {
      const opened = new Set<string>();
      const openRead: Disk['openRead'] = (path) => {
        opened.add(dirname(path));
        return nodeDisk.openRead(path);
      };
      const cache = new PartCache({ ...nodeDisk, openRead });
      using source = new BlockSource(cache, store.view, DEFAULT_TENANT);
      const traces = searchTraceIds(source, { ...ANY_TRACE, limit }, new Deadline(60_000)).map((id) => id[15]!);
      cache.close();
      return { traces, opened: places.flatMap(({ path }, i) => (opened.has(path) ? [i + 1] : [])), source };
    };
    const few = search(2);
    expect([few.traces, few.opened]).toEqual([
      [40, 39],
      [38, 39, 40],
    ]);
    expect(few.source.work).toMatchObject({ blocks: 40, fates: { matched: 2, limit: 38 } });
    expect(search(100).opened).toHaveLength(40);
  });
});
