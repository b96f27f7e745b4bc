// The names of a log block's templates, which its writer knows, are those that a reader finds in the block.
import { expect, test } from 'vitest';
import { encodeBlock } from '../../src/block/encode-block.ts';
import { BatchNames, type TemplateNames } from '../../src/block/read-names.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { NameSet } from '../../src/index/names.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { addBlockNames, addTemplateNames } from '../../src/partition/block-names.ts';
import { rowsByDay, SpanBatch } from '../../src/trace/span-batch.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { NOON_NS } from '../storage/stored-spans.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';

test('names by template and names by block are the same, commit after commit', () => {
  const random = createRandom(printedSeed('names by template'));
  const batch = new SpanBatch();
  const names = new BatchNames(batch);
  const [byTemplate, byBlock] = [new NameSet(), new NameSet()];
  const listed = new WeakSet<object>();
  for (let commit = 0; commit < 40; commit++) {
    scanRequest(batch, encodeRequest(randomRequest(random, NOON_NS)), { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n });
    for (const [day, rows] of rowsByDay(batch)) {
      const templates: TemplateNames[] = [];
      const block = encodeBlock(batch, regroupByTrace(batch, rows).rows, {
        tenant: DEFAULT_TENANT,
        day,
        profile: 'log',
        onTemplates: (section, ids) => ids.forEach((id) => templates.push(names.of(section, id))),
      });
      addBlockNames(byBlock, DEFAULT_TENANT, block);
      addTemplateNames(byTemplate, DEFAULT_TENANT, { templates, listed });
    }
    expect(byTemplate.list()).toEqual(byBlock.list());
    // As the intake does: rows go with every commit, names when they are too many.
    if (commit % 10 === 9) batch.clear();
    else batch.clearRows();
  }
  expect(byBlock.services(DEFAULT_TENANT).length).toBeGreaterThan(0);
});
