// The small messages in both encodings, read back by the oracle's own definitions.
import { describe, expect, test } from 'vitest';
import { decodeExportResponse, encodeExportResponse, encodeRpcStatus } from '../../src/otlp/rpc-messages.ts';
import { decodeResponse, decodeRetrySeconds, decodeRpcStatus } from '../support/otlp-proto.ts';

describe('ExportTraceServiceResponse', () => {
  test('is empty without a partial success', () => {
    expect(encodeExportResponse(undefined, 'protobuf')).toHaveLength(0);
    expect(encodeExportResponse(undefined, 'json').toString()).toBe('{}');
  });

  test('counts in 64 bits, as text in JSON', () => {
    const partial = { rejectedSpans: 2 ** 40, errorMessage: 'žluť' };
    const expected = { partialSuccess: { rejectedSpans: 2n ** 40n, errorMessage: 'žluť' } };
    expect(decodeResponse(encodeExportResponse(partial, 'protobuf'))).toEqual(expected);
    const json = encodeExportResponse(partial, 'json').toString();
    expect(json).toBe('{"partialSuccess":{"rejectedSpans":"1099511627776","errorMessage":"žluť"}}');
  });
});

describe('ExportTraceServiceResponse', () => {
  test('is read as it is written, and anything else is refused', () => {
    const partial = { rejectedSpans: 2 ** 40, errorMessage: 'too old' };
    expect(decodeExportResponse(encodeExportResponse(partial, 'protobuf'))).toEqual(partial);
    expect(decodeExportResponse(new Uint8Array(0))).toEqual({ rejectedSpans: 0, errorMessage: '' });
    expect(() => decodeExportResponse(Buffer.from('<html>'))).toThrow('no ExportTraceServiceResponse');
  });
});

describe('google.rpc.Status', () => {
  test('carries RetryInfo only when a retry helps', () => {
    const plain = decodeRpcStatus(
      encodeRpcStatus({ code: 3, message: 'bad \ud800', retrySeconds: undefined }, 'protobuf'),
    );
    expect(plain).toEqual({ code: 3, message: 'bad \ufffd' });
    const retry = decodeRpcStatus(encodeRpcStatus({ code: 8, message: '', retrySeconds: 5 }, 'protobuf'));
    expect(retry.details!.map((detail) => [detail.typeUrl, decodeRetrySeconds(detail.value!)])).toEqual([
      ['type.googleapis.com/google.rpc.RetryInfo', 5n],
    ]);
  });
});
