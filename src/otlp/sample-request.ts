// A made-up request, to run code on before the first real one comes: traces of several services with attributes of all kinds,
// events, links and errors. Its content is fixed.
import { ByteWriter } from '../bytes/byte-writer.ts';

const TRACES = 40;
const SPANS_PER_TRACE = 12;
const SERVICES = ['frontend', 'cart', 'checkout', 'payment'];
/** 2026-01-01T00:00:00Z in s: the traces start from here on, a millisecond after each other. */
const START_SECONDS = 1_767_225_600;

/** An OTLP ExportTraceServiceRequest of 480 spans; its bytes are a TracesData message too. */
export function sampleRequest(): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter();
  SERVICES.forEach((service, number) =>
    out.message(1, () => {
      out.message(1, () => {
        attribute(out, 1, 'service.name', service);
        attribute(out, 1, 'host.name', `host-${number}`);
        attribute(out, 1, 'process.pid', 1_000 + number);
      });
      out.message(2, () => {
        out.message(1, () => out.stringField(1, 'sample'));
        for (let trace = 0; trace < TRACES; trace++) {
          for (let i = number; i < SPANS_PER_TRACE; i += SERVICES.length) out.message(2, () => span(out, trace, i));
        }
      });
    }),
  );
  return out.take();
}

/** Span `i` of its trace; the first is the parent of all. */
function span(out: ByteWriter, trace: number, i: number): void {
  const startNs = BigInt(START_SECONDS) * 1_000_000_000n + BigInt(trace * 1_000_000 + i * 7_000);
  out.bytesField(1, id(16, trace + 1));
  out.bytesField(2, id(8, trace * SPANS_PER_TRACE + i + 1));
  if (i > 0) out.bytesField(4, id(8, trace * SPANS_PER_TRACE + 1));
  out.stringField(5, `operation ${i % 5}`);
  out.tag(6, 0);
  out.varint(1 + (i % 5));
  time(out, 7, startNs);
  time(out, 8, startNs + BigInt(5_000_000 + 1_000 * ((trace * 31 + i * 17) % 997)));
  attribute(out, 9, 'http.request.method', i % 3 === 0 ? 'GET' : 'POST');
  attribute(out, 9, 'url.full', `http://shop.example/cart/${trace * 7919 + i}/items?page=${i}`);
  attribute(out, 9, 'session.id', `0${(trace * 7919).toString(16).padStart(7, '0')}-1234-4abc-8def-0123456789ab`);
  attribute(out, 9, 'http.response.status_code', i === 7 ? 500 : 200);
  attribute(out, 9, 'size', trace * 31 + i + 0.5);
  attribute(out, 9, 'cached', i % 2 === 0);
  if (i % 4 === 0) {
    out.message(11, () => {
      time(out, 1, startNs + 1_000n);
      out.stringField(2, 'retry');
      attribute(out, 3, 'attempt', i);
    });
  }
  if (i === 5) {
    out.message(13, () => {
      out.bytesField(1, id(16, trace + 2));
      out.bytesField(2, id(8, 1));
    });
  }
  if (i === 7) {
    out.message(15, () => {
      out.stringField(2, 'no answer');
      out.tag(3, 0);
      out.varint(2);
    });
  }
}

/** An id whose last four bytes are `value`. */
function id(sizeBytes: number, value: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  new DataView(bytes.buffer).setUint32(sizeBytes - 4, value);
  return bytes;
}

function time(out: ByteWriter, field: number, ns: bigint): void {
  out.tag(field, 1);
  out.u64(Number(ns & 0xffffffffn), Number(ns >> 32n));
}

/** A KeyValue; whole numbers are ints, others doubles. */
function attribute(out: ByteWriter, field: number, key: string, value: string | number | boolean): void {
  out.message(field, () => {
    out.stringField(1, key);
    out.message(2, () => {
      if (typeof value === 'string') out.stringField(1, value);
      else if (typeof value === 'boolean') {
        out.tag(2, 0);
        out.varint(Number(value));
      } else if (Number.isInteger(value)) {
        out.tag(3, 0);
        out.varint(value);
      } else {
        out.tag(4, 1);
        out.f64(value);
      }
    });
  });
}
