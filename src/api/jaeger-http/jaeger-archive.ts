// /api/archive/{id} (contract/jaeger.md §1.3): POST keeps a trace beyond retention, GET shows a kept trace as /api/traces/{id}
// does, DELETE, which Jaeger lacks, removes it. Every path that takes an id also finds archived traces.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { warningsOf } from '../edge/partial-answers.ts';
import { traceNotFound } from '../edge/status.ts';
import { parseTraceId } from '../../trace/ids.ts';
import type { TraceArchive } from '../../trace/store.ts';
import { NotConfigured, registerLegacyRoute, UnknownPath, type LegacyHandler } from './jaeger-envelope.ts';
import { pathRest, type JaegerOptions, type JaegerRequest } from './jaeger-http.ts';
import { parsePathTraceId, parseTraceOptions } from '../jaeger/jaeger-params.ts';

const MARKER = '/api/archive/';

type ShowTrace = (options: JaegerOptions, asked: JaegerRequest, id: Uint8Array) => Promise<Iterable<Buffer>>;

/** Registers `{prefix}/api/archive/…`. `show` answers with the trace. */
export function registerArchiveRoutes(
  app: FastifyInstance,
  prefix: string,
  { options, show }: { readonly options: JaegerOptions; readonly show: ShowTrace },
): void {
  const url = `${prefix}${MARKER}*`;
  registerLegacyRoute(app, { method: 'POST', url, handler: archiveTrace, options });
  registerLegacyRoute(app, { method: 'GET', url, handler: showArchived(show), options });
  registerLegacyRoute(app, { method: 'DELETE', url, handler: deleteArchived, options });
}

/** The trace id of a path below /api/archive/ or /api/traces/. Throws UnknownPath, INVALID_REQUEST. */
export function pathTraceId(request: FastifyRequest, marker: string): Uint8Array {
  const text = pathRest(request, marker);
  // Base64 may contain a slash; with a slash in any other id, the path does not exist in Jaeger.
  if (text === '' || (text.includes('/') && parseTraceId(text) === undefined)) throw new UnknownPath();
  return parsePathTraceId(text);
}

function archiveOf({ archive }: JaegerOptions): TraceArchive {
  if (archive === undefined) throw new NotConfigured('archive span storage was not configured');
  return archive;
}

async function archiveTrace(options: JaegerOptions, asked: JaegerRequest, request: FastifyRequest): Promise<Buffer[]> {
  const id = pathTraceId(request, MARKER);
  parseTraceOptions(asked.params);
  const archived = await archiveOf(options).archiveTrace(asked, id);
  asked.mark(archived);
  if (!archived.isFound) throw traceNotFound(warningsOf(archived));
  return done();
}

function showArchived(show: ShowTrace): LegacyHandler {
  return async (options, asked, request) => {
    const id = pathTraceId(request, MARKER);
    if (!(await archiveOf(options).isArchived(asked, id))) throw traceNotFound();
    return show(options, asked, id);
  };
}

async function deleteArchived(
  options: JaegerOptions,
  asked: JaegerRequest,
  request: FastifyRequest,
): Promise<Buffer[]> {
  if (!(await archiveOf(options).deleteArchived(asked, pathTraceId(request, MARKER)))) throw traceNotFound();
  return done();
}

/** Jaeger's success answer, which has an empty list as `errors` here. */
function done(): Buffer[] {
  return [Buffer.from('{"data":[],"total":0,"limit":0,"offset":0,"errors":[]}')];
}
