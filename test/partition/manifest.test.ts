// The manifest of a snapshot: its bytes are pinned, and what was changed, cut or made up is refused.
import { describe, expect, test } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { crc32 } from '../../src/bytes/crc32.ts';
import { compareWithManifest, encodeManifest, parseManifest, type Manifest } from '../../src/partition/manifest.ts';

const manifest: Manifest = {
  day: 20_777,
  takenMs: Date.UTC(2026, 10, 21, 9, 30, 15, 123),
  rows: 240,
  files: [
    { name: 'index/data.mdb', sizeBytes: 12_288 },
    { name: 'log/0000000000000002.log', sizeBytes: 318 },
    { name: 'parts/0000000000000001/data', sizeBytes: 4_112 },
  ],
};

/** As docs/format/snapshot.md has it. A change of it is a new version. */
const TEXT = `tracelith snapshot 1
day 20261120
taken 2026-11-21T09:30:15.123Z
rows 240
file 12288 index/data.mdb
file 318 log/0000000000000002.log
file 4112 parts/0000000000000001/data
crc32 f1a9c3eb
`;

const codeOf = (text: string): string => {
  try {
    parseManifest(Buffer.from(text), '/backup/manifest');
    return 'no error';
  } catch (error) {
    expect(String(error)).toContain('/backup/manifest');
    return isStoreError(error) ? error.code : String(error);
  }
};
const signed = (text: string): string => `${text}crc32 ${crc32(Buffer.from(text)).toString(16).padStart(8, '0')}\n`;
const body = TEXT.slice(0, TEXT.indexOf('crc32'));

describe('a manifest', () => {
  test('is this text, and reads back as what was written', () => {
    expect(encodeManifest(manifest).toString()).toBe(TEXT);
    expect(parseManifest(Buffer.from(TEXT), 'manifest')).toEqual(manifest);
    const empty = { ...manifest, files: [], rows: 0 };
    expect(parseManifest(encodeManifest(empty), 'manifest')).toEqual(empty);
  });

  test('of which any byte was changed or cut off is CORRUPTION', () => {
    const bytes = Buffer.from(TEXT);
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 32]) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= bit;
        expect([at, codeOf(changed.toString('latin1'))]).toEqual([at, 'CORRUPTION']);
      }
      expect([at, codeOf(TEXT.slice(0, at))]).toEqual([at, 'CORRUPTION']);
    }
    expect(codeOf(`${TEXT}\n`)).toBe('CORRUPTION');
  });

  test.each([
    ['of a newer version', body.replace('snapshot 1', 'snapshot 2'), 'FORMAT_TOO_NEW'],
    ['of version 0', body.replace('snapshot 1', 'snapshot 0'), 'CORRUPTION'],
    ['of another program', body.replace('tracelith', 'something'), 'CORRUPTION'],
    ['of no day', body.replace('20261120', '20261131'), 'CORRUPTION'],
    ['of no time', body.replace('2026-11-21T09:30:15.123Z', 'noon'), 'CORRUPTION'],
    ['of no rows', body.replace('rows 240', 'rows many'), 'CORRUPTION'],
    ['with a line of something else', `${body}link 1 x\n`, 'CORRUPTION'],
    ['with a path out of it', `${body}file 1 /etc/passwd\n`, 'CORRUPTION'],
    ['with an empty path', `${body}file 1 \n`, 'CORRUPTION'],
    ['with a size that is none', `${body}file -1 log/x\n`, 'CORRUPTION'],
    ['that is empty', '', 'CORRUPTION'],
  ])('%s is refused although its checksum is right', (_what, text, code) => expect(codeOf(signed(text))).toBe(code));
});

describe('a folder', () => {
  const faults = (...files: Manifest['files']): string[] => compareWithManifest(manifest, files);

  test('that has all files, and LMDB’s readers, is what the manifest says', () => {
    const more = [
      { name: 'manifest', sizeBytes: 200 },
      { name: 'index/lock.mdb', sizeBytes: 8_192 },
    ];
    expect(faults(...manifest.files, ...more)).toEqual([]);
  });

  test('is told apart by what is missing, of another size, or too much', () => {
    const [index, log, data] = manifest.files;
    expect(faults(index!, log!)).toEqual(['parts/0000000000000001/data: missing']);
    expect(faults(index!, { ...log!, sizeBytes: 300 }, data!)).toEqual([
      'log/0000000000000002.log: 300 bytes where the manifest says 318',
    ]);
    expect(faults(...manifest.files, { name: 'log/x', sizeBytes: 0 })).toEqual(['log/x: not in the manifest']);
  });
});
