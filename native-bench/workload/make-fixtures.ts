// Writes fixtures/otlp: small requests of each profile as protobuf and as OTLP JSON. Fixtures are bytes that must never change, so
// this refuses to write over one; it is kept to show how they were made and to make further ones.
//   node native-bench/workload/make-fixtures.ts [directory]
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
// The JSON comes from the tests' reflection decoder, not from our own writer: a fixture must not share its reader's mistakes.
import { decodeRequest, toOtlpJson } from '../../test/support/otlp-proto.ts';
import type { ProfileName } from './requests.ts';
import { defaultWorkload, requests } from './requests.ts';

const fixtures: readonly { profile: ProfileName; spans: number; seed: number }[] = [
  { profile: 'shop', spans: 24, seed: 11 },
  { profile: 'chaotic', spans: 24, seed: 12 },
  { profile: 'llm', spans: 2, seed: 14 },
];
const startNs = BigInt(Date.UTC(2026, 10, 20)) * 1_000_000n;

function main(directory: string): void {
  for (const { profile, spans, seed } of fixtures) {
    const [request] = requests({
      ...defaultWorkload,
      profile,
      seed,
      spans,
      batch: spans,
      startNs,
      seconds: 10,
      instances: 1,
    });
    if (request === undefined) throw new Error(`BUG: no request of profile ${profile}`);
    const path = join(directory, `${profile}-${spans}`);
    writeFileSync(`${path}.binpb`, request.body, { flag: 'wx' });
    writeFileSync(`${path}.json`, `${JSON.stringify(toOtlpJson(decodeRequest(request.body)))}\n`, { flag: 'wx' });
  }
}

main(process.argv[2] ?? new URL('../../fixtures/otlp', import.meta.url).pathname);
