// Writes fixtures/otlp: small requests of each profile as protobuf and as OTLP JSON. Fixtures are bytes that must never change, so
// this leaves those that are there as they are; it is kept to show how they were made and to make further ones.
//   node native-bench/workload/make-fixtures.ts [directory]
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
// The JSON comes from the tests' reflection decoder, not from our own writer: a fixture must not share its reader's mistakes.
import { decodeRequest, toOtlpJson } from '../../test/support/otlp-proto.ts';
import type { ProfileName } from './requests.ts';
import { defaultWorkload, requests } from './requests.ts';

const fixtures: readonly { name: string; profile: ProfileName; spans: number; seed: number }[] = [
  { name: 'shop', profile: 'shop', spans: 24, seed: 11 },
  // Made when the profile `odd` was still called `chaotic`.
  { name: 'chaotic', profile: 'odd', spans: 24, seed: 12 },
  { name: 'llm', profile: 'llm', spans: 2, seed: 14 },
  { name: 'adversary', profile: 'chaotic', spans: 16, seed: 15 },
];
const startNs = BigInt(Date.UTC(2026, 10, 20)) * 1_000_000n;

function main(directory: string): void {
  for (const { name, profile, spans, seed } of fixtures) {
    const path = join(directory, `${name}-${spans}`);
    if (existsSync(`${path}.binpb`)) continue;
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
    writeFileSync(`${path}.binpb`, request.body, { flag: 'wx' });
    writeFileSync(`${path}.json`, `${JSON.stringify(toOtlpJson(decodeRequest(request.body)))}\n`, { flag: 'wx' });
  }
}

main(process.argv[2] ?? new URL('../../fixtures/otlp', import.meta.url).pathname);
