// Expected texts were printed by Go 1.26 (json.Unmarshal into map[string]string).
import { expect, test } from 'vitest';
import { parseGoStringMap } from '../../../src/api/go/go-json.ts';

test.each([
  ['{}', []],
  ['null', []],
  [
    ' { "a" : "b" , "c" : null } ',
    [
      ['a', 'b'],
      ['c', ''],
    ],
  ],
  [
    '{"error":"true","neg!":"\\u0041\\/"}',
    [
      ['error', 'true'],
      ['neg!', 'A/'],
    ],
  ],
  ['{"a":"1","a":"2"}', [['a', '2']]],
  ['{"__proto__":"x"}', [['__proto__', 'x']]],
])('%s is a map', (text, entries) => {
  expect(parseGoStringMap(text)).toEqual({ entries });
});

test.each([
  ['notjson', "invalid character 'o' in literal null (expecting 'u')"],
  ['x', "invalid character 'x' looking for beginning of value"],
  ['', 'unexpected end of JSON input'],
  ['{', 'unexpected end of JSON input'],
  ['{"k', 'unexpected end of JSON input'],
  ['{"k":1}', 'json: cannot unmarshal number into Go value of type string'],
  ['{"k":true}', 'json: cannot unmarshal bool into Go value of type string'],
  ['{"k":{}}', 'json: cannot unmarshal object into Go value of type string'],
  ['{"k":[]}', 'json: cannot unmarshal array into Go value of type string'],
  ['[1]', 'json: cannot unmarshal array into Go value of type map[string]string'],
  ['"k"', 'json: cannot unmarshal string into Go value of type map[string]string'],
  ['{k:"v"}', "invalid character 'k' looking for beginning of object key string"],
  ['{"k":"v",}', "invalid character '}' looking for beginning of object key string"],
  ['{"k" "v"}', "invalid character '\"' after object key"],
  ['{"k":"v" "l"}', "invalid character '\"' after object key:value pair"],
  ['[1 2]', "invalid character '2' after array element"],
  ['[1,]', "invalid character ']' looking for beginning of value"],
  ['{}{}', "invalid character '{' after top-level value"],
  ["{'k':'v'}", "invalid character '\\'' looking for beginning of object key string"],
  ['{"k":"a\nb"}', "invalid character '\\n' in string literal"],
  ['{"k":"\\x"}', "invalid character 'x' in string escape code"],
  ['{"k":"\\u12g"}', "invalid character 'g' in \\u hexadecimal character escape"],
  ['-x', "invalid character 'x' in numeric literal"],
  ['1.', "invalid character ' ' after decimal point in numeric literal"],
  ['1ex', "invalid character 'x' in exponent of numeric literal"],
  ['01', "invalid character '1' after top-level value"],
  ['é', "invalid character 'Ã' looking for beginning of value"],
  [`${'['.repeat(10_001)}`, 'exceeded max depth'],
])('%j is refused in Go’s words', (text, error) => {
  expect(parseGoStringMap(text)).toEqual({ error });
});
