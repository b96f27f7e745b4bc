// What identifies a certificate.
import { expect, test } from 'vitest';
import { certificateNames } from '../../../src/api/access/certificate-names.ts';

test.each<[string | undefined, string[]]>([
  [undefined, []],
  ['', []],
  ['DNS:a.example', ['DNS:a.example']],
  [
    'DNS:a.example, URI:spiffe://example/ns/x/sa/y, IP Address:10.0.0.1, email:a@example',
    ['DNS:a.example', 'URI:spiffe://example/ns/x/sa/y', 'IP Address:10.0.0.1', 'email:a@example'],
  ],
  // Node quotes values with separators: they cannot add a name.
  ['DNS:"a, DNS:admin.example", DNS:b.example', ['DNS:b.example']],
  ['URI:"http://a/\\", DNS:admin.example", DNS:b.example', ['DNS:b.example']],
])('%s', (subjectaltname, names) => {
  expect(certificateNames({ subjectaltname } as { subjectaltname?: string })).toEqual(names);
});
