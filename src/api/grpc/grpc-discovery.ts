// Services that a gRPC client may call first: grpc.health.v1, and server reflection (v1 and v1alpha). Health follows the
// readiness of the process. A watch ends when the server closes: an open watch would delay the close.
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { ReflectionService } from '@grpc/reflection';
import type { handleBidiStreamingCall, MethodDefinition } from '@grpc/grpc-js';
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import {
  MessageSink,
  registerService,
  type GrpcCall,
  type GrpcCallOptions,
  type Replies,
  type Reply,
} from './grpc-call.ts';
import type { GrpcMethodTable, ReceivedCall } from './grpc-server.ts';
import { describeFiles } from './grpc-descriptors.ts';
import { describedRoot } from './grpc-schema.ts';

const HEALTH = 'grpc.health.v1.Health';
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;
/** The longest delay until a watch reports a change. */
const WATCH_INTERVAL_MS = 500;

/** The services whose health is reported, in addition to "" for the whole server. */
export interface HealthOptions extends GrpcCallOptions {
  readonly services: readonly string[];
  /** Fires when the server begins to close. */
  readonly closing: AbortSignal;
}

interface HealthRequest {
  readonly service?: string;
}

/** Registers grpc.health.v1. It answers even if the store is not ready, because readiness is what it reports. */
export function registerHealth(server: GrpcMethodTable, { services, closing, isReady }: HealthOptions): void {
  const known = new Set(['', ...services]);
  const statusOf = (service: string): number => {
    if (!known.has(service)) return SERVICE_UNKNOWN;
    return isReady() && !closing.aborted ? SERVING : NOT_SERVING;
  };
  const check = async (_options: unknown, { service = '' }: HealthRequest): Promise<Reply> => {
    if (!known.has(service)) throw new StoreError('NOT_FOUND', `health: unknown service ${JSON.stringify(service)}`);
    return { status: statusOf(service) };
  };
  const list = async (): Promise<Reply> => ({
    statuses: Object.fromEntries([...known].map((service) => [service, { status: statusOf(service) }])),
  });
  const watch = async function* (_options: unknown, { service = '' }: HealthRequest, { signal }: GrpcCall): Replies {
    const ended = AbortSignal.any([signal, closing]);
    let told: number | undefined;
    while (!signal.aborted) {
      const status = statusOf(service);
      if (status !== told) yield { status };
      told = status;
      if (closing.aborted) return;
      // An abort ends the wait; the loop then checks the reason.
      await delay(WATCH_INTERVAL_MS, undefined, { signal: ended, ref: false }).catch(() => undefined);
    }
  };
  const methods = { unary: { Check: check, List: list }, streams: { Watch: watch } };
  registerService(server, HEALTH, methods, { isReady: () => true });
}

/** Registers reflection of `services`, health included. Its data, which takes 50 ms of CPU, is made on first use. */
export function registerReflection(server: GrpcMethodTable, services: readonly string[]): void {
  let methods: ReadonlyMap<string, ReflectionMethod> | undefined;
  for (const version of ['v1', 'v1alpha']) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    server.add(path, async (call) => {
      methods ??= loadReflection([...services, HEALTH]);
      await reflect(call, methods.get(path)!);
    });
  }
}

/** The library answers each question synchronously, on the stream that it was given. */
async function reflect(call: ReceivedCall, { definition, handle }: ReflectionMethod): Promise<void> {
  const questions = new EventEmitter();
  const sink = new MessageSink(call.stream, limits.answerStallMsMax);
  let replies: Uint8Array[] = [];
  const write = (reply: object): void => void replies.push(definition.responseSerialize(reply));
  handle(Object.assign(questions, { write, end: () => undefined }) as unknown as Parameters<typeof handle>[0]);
  for await (const message of call.each(limits.questionBytesMax)) {
    let question: object;
    try {
      question = definition.requestDeserialize(Buffer.from(message));
    } catch (cause) {
      throw new StoreError('INVALID_REQUEST', `malformed ServerReflectionRequest: ${String(cause)}`, { cause });
    }
    questions.emit('data', question);
    // The next question is read only when the client has taken the answers: a question of a few bytes costs tens of KB.
    for (const reply of replies) await sink.send(reply);
    replies = [];
  }
}

interface ReflectionMethod {
  readonly definition: MethodDefinition<object, object>;
  readonly handle: handleBidiStreamingCall<object, object>;
}

/** The library's methods by path; the library adds them to any object that has addService. */
function loadReflection(services: string[]): Map<string, ReflectionMethod> {
  const methods = new Map<string, ReflectionMethod>();
  const fileDescriptorProtos = describeFiles(describedRoot());
  // The library reads only the descriptors of a loaded definition; a definition of an enum has nothing else.
  const schema = { format: 'Protocol Buffer 3 EnumDescriptorProto', type: {}, fileDescriptorProtos } as const;
  new ReflectionService({ schema }, { services }).addToServer({
    addService: (service, implementation) => {
      for (const [name, definition] of Object.entries(service)) {
        const handle = implementation[name] as handleBidiStreamingCall<object, object>;
        methods.set(definition.path, { definition, handle });
      }
    },
  });
  return methods;
}
