// Every bound of the program that is not a flag, by name, with its reason. What bites is counted or told, never silent.

export const limits = {
  /** AnyValue nesting; deeper, the span is rejected by name. OTLP's libraries take some 47 levels, its SDKs may come to 64. */
  anyValueDepthMax: 64,
  /** Highest -insert.maxAttributesPerSpan: a template of 64 KiB. */
  attributesPerSpanMost: 16_384,
  /** Highest -insert.maxSpanBytes: half of the default -opentelemetry.traces.maxRequestSize. */
  spanBytesMost: 32 << 20,
  /** Events of one span, and links; SDKs keep 128 of each. Above: the span is rejected by name. */
  childrenPerSpanMax: 1 << 16,
  /** Resources and scopes of one request together: each is some microseconds of work, however few bytes it has. Above: 413. */
  requestGroupsMax: 1 << 18,
  /** Spans of one request, 64 bytes each in a body of 64 MiB; fields beside them count too. Above: 413. */
  requestSpansMax: 1 << 20,
  /** Names and keys that are new in one request: a block of them takes a second of work. Above: 413. */
  requestNamesMax: 1 << 17,
  /** Bytes of one resource or scope; above: its spans are rejected by name. Those of thousands of spans are looked at as one. */
  descriptorBytesMax: 512 << 10,
  /** How many times its own size a request may take in memory; usual spans take 1.3, the smallest 2.5. Above: 413. */
  requestSpreadMax: 4,
  /** Traces one search may return, checked before anything is allocated. */
  searchTracesMax: 10_000,
  /** Queries that wait for their turn (-search.maxConcurrentRequests); above it the client is told to retry. Each costs a connection. */
  queriesWaitingMax: 256,
  /** Rows one group commit may hold; the next one starts when it is on disk. */
  commitRowsMax: 32_768,
  /**
   * Bytes of OTLP bodies between socket and store: being received, decompressed, converted, written. Above it the client
   * is told to retry.
   */
  intakeBytesMax: 256 << 20,
  /** Counted for every request beside its body: stream, headers, buffers. A flood of empty requests is bounded too. */
  requestOverheadBytes: 16 << 10,
  /** Frames of one zstd body; senders use one, and each costs a call. */
  zstdFramesMax: 1_024,
  /** LMDB environments open at once, 2.4 MB of memory each; those of further days are opened when they are asked. */
  indexesOpenMax: 32,
  /**
   * Partitions above which a span cannot be the first one of its day, unless that day is within daysAlwaysTaken of
   * today; it is rejected by name. Nearly three years may be imported; a client with broken timestamps can do no more.
   */
  partitionsMax: 1_000,
  /** Days before and after today that are taken whatever there is: what is sent as it happens is never refused. */
  daysAlwaysTaken: 7,
  /** OTLP bytes of the traces in one answer: 100,000 spans have some 50 MB. Above it the client is told to ask for fewer. */
  answerBytesMax: 256 << 20,
  /** Buckets of minutes one answer of the Monitor is added up from, 14 bytes each: 40 operations over a week have some 8 M. */
  callEntriesMax: 16 << 20,
  /** OTLP bytes of all answers that are being sent; above it the client is told to retry. */
  answersBytesMax: 512 << 20,
  /** A client that takes nothing of its answer for this long is cut off: the answer's trace stays in memory until then. */
  answerStallMsMax: 60_000,
  /** Traces in the archive; each is a file that is looked at when the process starts. */
  archivedTracesMax: 100_000,
  /** HTTP request headers in bytes. Above: 431. */
  httpHeaderBytesMax: 16 << 10,
  /** Calls inside calls of a search's filter, the filter itself counted; Jaeger's own bound. */
  filterDepthMax: 20,
  /** Calls, references and constants of one filter, and elements of its lists: each may cost a pass over every block. */
  filterTermsMax: 1_000,
  /** Regular expressions of one search; each costs up to 30 ms to compile, and a look at every distinct value. */
  patternsMax: 10,
  /** Characters of a regular expression, and what it compiles to; the second is what a match costs per character at worst. */
  patternCharsMax: 1_000,
  patternProgramMax: 1_024,
  /** Instructions × bytes of matching one value, which nothing interrupts: 16 s at worst, 20 ms for most patterns. */
  patternWorkMax: 1 << 28,
  /** Bytes of one question over gRPC, which shares its port with OTLP: 10,000 trace ids with their hints are 500 KB. */
  questionBytesMax: 1 << 20,
  /** Tags of one search over gRPC; over HTTP the length of a URL bounds them. */
  searchTagsMax: 1_000,
  /** Calls under way on one gRPC connection; a Collector uses 10. */
  grpcStreamsPerConnectionMax: 100,
} as const;
