// Shared by Jaeger's two API generations over HTTP: tenant, query string, the signal that fires when the client leaves, the
// undecoded rest of a path, and how errors are sent.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../../base/logger.ts';
import { ofTenants, type CallContext } from '../../trace/call-context.ts';
import type {
  FoundTrace,
  FoundTraces,
  Listed,
  Marked,
  Operation,
  TraceArchive,
  TraceReader,
} from '../../trace/store.ts';
import type { SearchExplainer } from '../../trace/search-explanation.ts';
import { kindNumber } from '../../trace/span-kinds.ts';
import { principalOf, tenantsOf } from '../access/guard-routes.ts';
import type { AnswerBudget } from '../edge/answer-budget.ts';
import type { Intake } from '../edge/intake.ts';
import { PARTIAL_HEADER, partialHeader, warningsOf } from '../edge/partial-answers.ts';
import type { BodyPool } from '../http/body-pool.ts';
import { QueryString, unescapePercent } from '../go/query-string.ts';
import { messageOf, statusOf } from '../edge/status.ts';
import { anyParam } from '../jaeger/jaeger-v3-search.ts';
import { refuseUnknownNarrowing } from '../jaeger/known-params.ts';

export interface JaegerOptions {
  readonly reader: TraceReader;
  /** Answers explain=1; absent if the traces are stored elsewhere. */
  readonly explainer?: SearchExplainer;
  /** Highest `limit` of a search. */
  readonly maxTraces: number;
  /** Patterns and negation in tags (tag-expressions.ts); false when absent. */
  readonly hasTagExpressions?: boolean;
  /** Milliseconds since the epoch; Date.now when absent. */
  readonly now?: () => number;
  /** Where answers of 500 and above are reported. */
  readonly logger?: Logger;
  /** The budget of request bodies. */
  readonly intake: Pick<Intake, 'open' | 'jsonBytesMax'>;
  readonly bodies: BodyPool;
  /** The budget of answers. */
  readonly answers: AnswerBudget;
  /** Absent: nothing can be archived. */
  readonly archive?: TraceArchive | undefined;
  /** Refuses the metrics endpoints, for users whose Monitor reads another source. */
  readonly isMonitorOff?: boolean;
}

/** Milliseconds since the epoch. */
export function nowOf(options: JaegerOptions): number {
  return options.now === undefined ? Date.now() : options.now();
}

/** Its context is that of the calls to the store. */
export interface JaegerRequest extends CallContext {
  readonly params: QueryString;
  /** Fires when the connection closes: no further work is needed. */
  readonly signal: AbortSignal;
  readonly isPretty: boolean;
  /** Puts into the header `tracelith-warnings` what the answer lacks, or how it differs from the request. */
  readonly warn: (warnings: readonly string[]) => void;
  /** Warns of what `found` lacks, and names the nodes that it was made without. */
  readonly mark: (found: Marked) => void;
  /** The warnings so far. */
  readonly told: readonly string[];
  /** The traces of an answer, held until the request is over; warns of what they lack. Throws OVERLOADED. */
  readonly take: (found: FoundTraces) => readonly FoundTrace[];
  /** The items of a list; warns of what it lacks. */
  readonly items: <T>(listed: Listed<T>) => T[];
}

/** Proxies refuse answers with some KB of headers. */
const WARNING_CHARS_MAX = 2_000;

/**
 * Reads what every route needs; `conditions` are the parameters in `query.` that this route supports. Throws INVALID_REQUEST
 * for a bad tenant, and for an unknown parameter that would narrow the answer.
 */
export function readRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  { answers }: Pick<JaegerOptions, 'answers'>,
  conditions: ReadonlySet<string> = new Set(),
): JaegerRequest {
  const about = ofTenants(tenantsOf(request));
  const params = queryOf(request);
  refuseUnknownNarrowing(params, conditions);
  const pretty = params.first('prettyPrint');
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort());
  const told: string[] = [];
  const warn = (warnings: readonly string[]): void => {
    told.push(...warnings);
    if (told.length > 0) void reply.header('tracelith-warnings', headerOf(told));
  };
  const mark = (found: Marked): void => {
    warn(warningsOf(found));
    const partial = partialHeader(found);
    if (partial !== undefined) void reply.header(PARTIAL_HEADER, partial);
  };
  return {
    ...about,
    principal: principalOf(request),
    params,
    signal: controller.signal,
    allowsPartial: allowsPartialOf(params),
    isPretty: pretty !== '' && pretty !== 'false',
    warn,
    mark,
    told,
    take: (found) => {
      answers.hold(found.traces, controller.signal);
      mark(found);
      return found.traces;
    },
    items: (listed) => {
      mark(listed);
      return listed.items;
    },
  };
}

/** The operations for the parameters `service` and `spanKind` (or `span_kind`); none for an unknown kind. */
export async function operationsOf(reader: TraceReader, asked: JaegerRequest): Promise<Operation[]> {
  const { params, items } = asked;
  const service = params.first('service');
  const kind = kindNumber(anyParam(params, 'spanKind', 'span_kind')[1]);
  return service === '' || kind < 0 ? [] : items(await reader.listOperations(asked, service, kind || undefined));
}

/** As VictoriaTraces' argument. undefined: as the node is set. */
function allowsPartialOf(params: QueryString): boolean | undefined {
  const text = params.first('allow_partial_response');
  return text === '' ? undefined : text === '1' || text === 'true';
}

/** Printable ASCII, bounded; the log has the complete warnings. */
function headerOf(warnings: readonly string[]): string {
  const text = `${warnings.length}: ${warnings.join('; ')}`.replace(/[^ -~]/g, '?');
  return text.length <= WARNING_CHARS_MAX ? text : `${text.slice(0, WARNING_CHARS_MAX)}...`;
}

function queryOf(request: FastifyRequest): QueryString {
  const question = request.url.indexOf('?');
  return new QueryString(question === -1 ? '' : request.url.slice(question + 1));
}

/** The path before the query string, as the client escaped it. */
export function rawPath(request: FastifyRequest): string {
  return request.url.split('?', 1)[0]!;
}

/** The path after the first `marker`, unescaped once; slashes in it, escaped or not, are kept. */
export function pathRest(request: FastifyRequest, marker: string): string {
  const path = rawPath(request);
  const rest = path.slice(path.indexOf(marker) + marker.length);
  return unescapePercent(rest) ?? rest;
}

export interface ErrorAnswer {
  readonly error: unknown;
  readonly logger: Logger | undefined;
  readonly body: (status: number, message: string) => string;
}

/** A refusal because a flag disables something is not a failure. */
const DISABLED_STATUS = 501;

/** Sends the error's status with the body of the API generation, followed by a line feed, as Jaeger does. */
export function sendError(reply: FastifyReply, { error, logger, body }: ErrorAnswer): void {
  const { http, retrySeconds } = statusOf(error);
  if (http >= 500 && http !== DISABLED_STATUS) logger?.error('a Jaeger request failed', { status: http, error });
  if (retrySeconds !== undefined) reply.header('retry-after', String(retrySeconds));
  reply.header('content-type', 'application/json').header('x-content-type-options', 'nosniff');
  void reply.code(http).send(Buffer.from(`${body(http, messageOf(error))}\n`));
}
