// Which blocks share traces with another input, against a comparison of all their traces.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { findReach, type PlacedLookup } from '../../src/part/shared-traces.ts';
import { LookupCursor, TraceLookupBuilder } from '../../src/part/trace-lookup.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { traceIdOf } from '../storage/stored-spans.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

interface MadeBlock {
  readonly traces: readonly number[];
  readonly tenant: number;
  readonly place: number;
}

/** The blocks of one input, by its lookup. */
function placed(folder: string, name: string, blocks: readonly MadeBlock[]): PlacedLookup {
  const builder = new TraceLookupBuilder();
  blocks.forEach(({ traces }, block) => builder.addBlock(block, Buffer.concat(traces.map(traceIdOf))));
  const pages: Uint8Array[] = [];
  const fences = builder.write((some) => pages.push(some));
  writeFileSync(join(folder, name), Buffer.concat(pages));
  const entries = new LookupCursor({ file: nodeDisk.openRead(join(folder, name)), start: 0, fences });
  return { entries, places: Int32Array.from(blocks, ({ place }) => place) };
}

/** The last place that shares a trace with `block`, if two inputs share that trace. */
function expectedReach(inputs: readonly (readonly MadeBlock[])[], block: MadeBlock): number {
  let reach = -1;
  for (const trace of block.traces) {
    const holders = inputs.flatMap((blocks, input) =>
      blocks
        .filter(({ traces, tenant }) => tenant === block.tenant && traces.includes(trace))
        .map(({ place }) => ({ input, place })),
    );
    if (new Set(holders.map(({ input }) => input)).size < 2) continue;
    reach = Math.max(reach, ...holders.map(({ place }) => place));
  }
  return reach;
}

test.each([1, 2, 5])('of %d inputs: the last block that shares a trace, of the same tenant', (count) => {
  using folder = new TemporaryFolder();
  const random = createRandom(printedSeed('shared traces'));
  const below = (n: number): number => Math.floor(random() * n);
  for (let round = 0; round < 20; round++) {
    let place = 0;
    const some = (): number[] => [...new Set(Array.from({ length: 1 + below(12) }, () => below(200)))];
    const inputs = Array.from({ length: count }, () =>
      Array.from({ length: 1 + below(5) }, () => ({ traces: some(), tenant: 0, place: place++ })),
    );
    const lookups = inputs.map((blocks, i) => placed(folder.path, `${round}-${i}`, blocks));
    const reach = findReach(lookups, new Int32Array(place));
    for (const block of inputs.flat()) expect(reach[block.place]).toBe(expectedReach(inputs, block));
  }
});

test('two tenants with the same trace share nothing, and two spans of one tenant beside them do', () => {
  using folder = new TemporaryFolder();
  const block = (place: number, tenant: number): MadeBlock => ({ traces: [7], tenant, place });
  const inputs = [[block(0, 0), block(2, 1)], [block(1, 0)]];
  const lookups = inputs.map((blocks, i) => placed(folder.path, `${i}`, blocks));
  expect([...findReach(lookups, Int32Array.of(0, 0, 1))]).toEqual([1, 1, -1]);
});

test('a lookup that names a block which the part has not is CORRUPTION', () => {
  using folder = new TemporaryFolder();
  const inputs = [0, 1].map((i) => placed(folder.path, `${i}`, [{ traces: [1], tenant: 0, place: i }]));
  const broken = [inputs[0]!, { ...inputs[1]!, places: new Int32Array(0) }];
  expect(() => findReach(broken, new Int32Array(2))).toThrow(expect.objectContaining({ code: 'CORRUPTION' }));
});
