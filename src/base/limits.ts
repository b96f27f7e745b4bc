// Every limit of the program that is not a flag, with its reason. A limit that takes effect is counted or reported.

export const limits = {
  /** AnyValue nesting; a span nested deeper is rejected. OTLP's libraries accept some 47 levels, its SDKs up to 64. */
  anyValueDepthMax: 64,
  /** Highest -insert.maxAttributesPerSpan: a template of 64 KiB. */
  attributesPerSpanMost: 16_384,
  /** Highest -insert.maxSpanBytes: half of the default -opentelemetry.traces.maxRequestSize. */
  spanBytesMost: 32 << 20,
  /** Events of one span, and links; SDKs keep 128 of each. Above: the span is rejected. */
  childrenPerSpanMax: 1 << 16,
  /** Resources and scopes of one request together: each costs some microseconds, however small it is. Above: 413. */
  requestGroupsMax: 1 << 18,
  /** Spans of one request, 64 bytes each in a body of 64 MiB; other fields beside them count too. Above: 413. */
  requestSpansMax: 1 << 20,
  /** New names and keys in one request: a block of them takes a second to encode. Above: 413. */
  requestNamesMax: 1 << 17,
  /** Bytes of one resource or scope, which a scan reads in one step; above: its spans are rejected. */
  descriptorBytesMax: 512 << 10,
  /** Memory of a request in multiples of its size; usual spans take 1.3, the smallest 2.5. Above: 413. */
  requestSpreadMax: 4,
  /** Traces one search may return, checked before any allocation. */
  searchTracesMax: 10_000,
  /** Queries waiting for -search.maxConcurrentRequests, each with a connection; above: the client is told to retry. */
  queriesWaitingMax: 256,
  /** Rows of one group commit; further rows wait for the next one. */
  commitRowsMax: 32_768,
  /**
   * Bytes of OTLP bodies between socket and store: being received, decompressed, converted, written. Above: the client
   * is told to retry.
   */
  intakeBytesMax: 256 << 20,
  /** Added to the body's size of every request (stream, headers, buffers); also bounds a flood of empty requests. */
  requestOverheadBytes: 16 << 10,
  /** Bytes of slices that insert sends a storage node in one call; a larger slice goes alone, as OTLP. */
  forwardBytesMax: 8 << 20,
  /** Characters of the key of a write (SpanWriter.write). */
  writeKeyCharsMax: 128,
  /** Frames of one zstd body; clients use one, and each costs a call. */
  zstdFramesMax: 1_024,
  /** LMDB environments open at once, 2.4 MB of memory each; environments of further days are opened on use. */
  indexesOpenMax: 32,
  /**
   * With this many partitions, no span may start a new one, unless its day is within daysAlwaysTaken of today; it is
   * rejected otherwise. An import may cover nearly three years; a client with broken timestamps cannot create more.
   */
  partitionsMax: 1_000,
  /** Days before and after today that are always accepted, so that live spans are never rejected. */
  daysAlwaysTaken: 7,
  /** OTLP bytes of the traces in one answer: 100,000 spans have some 50 MB. Above: the client should ask for fewer. */
  answerBytesMax: 256 << 20,
  /** Minute buckets summed for one answer of the Monitor, 14 bytes each: 40 operations over a week have some 8 M. */
  callEntriesMax: 16 << 20,
  /** OTLP bytes of all answers being sent; above: the client is told to retry. */
  answersBytesMax: 512 << 20,
  /** A client that reads nothing of its answer for this long is cut off: until then the answer's trace is in memory. */
  answerStallMsMax: 60_000,
  /** Traces in the archive; each is a file that startup checks. */
  archivedTracesMax: 100_000,
  /** HTTP request headers in bytes. Above: 431. */
  httpHeaderBytesMax: 16 << 10,
  /** Nested calls of a search's filter, including the filter itself; Jaeger's own bound. */
  filterDepthMax: 20,
  /** Calls, references, constants and list elements of one filter: each may cost a pass over every block. */
  filterTermsMax: 1_000,
  /** Tenants that one question may be about; each costs as much as a question about it alone. */
  tenantsAskedMax: 20,
  /** Regular expressions of one search; each costs up to 30 ms to compile, and a match with every distinct value. */
  patternsMax: 10,
  /** Characters of a regular expression, and its compiled size, which is the worst cost of a match per character. */
  patternCharsMax: 1_000,
  patternProgramMax: 1_024,
  /** Instructions × bytes of matching one value, uninterruptible: 16 s at worst, 20 ms for most patterns. */
  patternWorkMax: 1 << 28,
  /** Bytes of one gRPC query, on the port shared with OTLP: 10,000 trace ids with their hints are 500 KB. */
  questionBytesMax: 1 << 20,
  /** Tags of one search over gRPC; over HTTP the length of a URL bounds them. */
  searchTagsMax: 1_000,
  /** Concurrent calls on one gRPC connection; a Collector uses 10. */
  grpcStreamsPerConnectionMax: 100,
} as const;
