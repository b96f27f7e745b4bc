// The `llm` profile: agents that talk to language models. Their spans carry whole prompts and answers as attributes, 2-50 KB each,
// and each turn repeats the conversation so far: the stress for long values, for deduplication and for size limits.
import type { Attribute, GeneratedResource, GeneratedScope, GeneratedSpan, Profile } from './model.ts';
import { exportIntervalNs, KIND_CLIENT, KIND_INTERNAL, KIND_SERVER } from './model.ts';
import type { Rng } from './rng.ts';
import { sentences } from './sentences.ts';
import { TraceBuilder } from './trace-builder.ts';

export const promptBytes = { min: 2_000, max: 50_000 };

const agents = ['support-agent', 'code-reviewer', 'research-agent'];
const models = ['large-2026-08', 'small-2026-05', 'open-70b-instruct'];
const tools = ['search_orders', 'read_file', 'run_query', 'send_mail', 'list_tickets'];
const scope: GeneratedScope = { name: 'opentelemetry.instrumentation.genai', version: '2.4b0' };

interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
}

export function llmProfile(rng: Rng, instances: number): Profile {
  const resources = agents.flatMap((agent) => Array.from({ length: instances }, () => agentResource(rng, agent)));
  const systemPrompts = agents.map(() => sentences(rng, 1800));
  return {
    resources,
    trace(startNs: number): GeneratedSpan[] {
      const agent = rng.int(agents.length);
      const resource = agent * instances + rng.int(instances);
      const builder = new TraceBuilder(rng, resources, startNs);
      const system: Message = { role: 'system', content: systemPrompts[agent] ?? '' };
      conversation(rng, { builder, resource, name: agents[agent] ?? '', system });
      return builder.spans;
    },
  };
}

function agentResource(rng: Rng, name: string): GeneratedResource {
  return {
    attributes: [
      ['service.name', name],
      ['service.instance.id', rng.uuid()],
      ['host.name', `gpu-${rng.int(40)}`],
      ['telemetry.sdk.language', 'python'],
    ],
    exportPhaseNs: rng.int(exportIntervalNs),
    clockSkewNs: 0,
  };
}

interface Conversation {
  readonly builder: TraceBuilder;
  readonly resource: number;
  readonly name: string;
  readonly system: Message;
}

function conversation(rng: Rng, { builder, resource, name, system }: Conversation): void {
  const turns = 2 + rng.int(5);
  const model = rng.pick(models);
  const history: Message[] = [system, { role: 'user', content: sentences(rng, rng.logUniform(100, 12_000)) }];
  const turnUs = rng.logNormal(14, 0.5);
  const at = { resource, scope };
  const root = builder.add({
    ...at,
    name: `POST /v1/${name}`,
    kind: KIND_SERVER,
    offsetUs: 0,
    durationUs: turnUs * turns * 1.1,
    attributes: [['http.request.method', 'POST']],
  });
  const attributes: Attribute[] = [
    ['gen_ai.operation.name', 'invoke_agent'],
    ['gen_ai.agent.name', name],
    ['gen_ai.conversation.id', rng.uuid()],
  ];
  const agent = builder.add({
    ...at,
    parent: root,
    name: `invoke_agent ${name}`,
    kind: KIND_INTERNAL,
    offsetUs: 500,
    durationUs: turnUs * turns,
    attributes,
  });
  for (let turn = 0; turn < turns; turn++) {
    const answer: Message = { role: 'assistant', content: sentences(rng, rng.logUniform(200, 4000)) };
    builder.add({
      ...at,
      parent: agent,
      name: `chat ${model}`,
      kind: KIND_CLIENT,
      offsetUs: turnUs * turn,
      durationUs: turnUs * 0.8,
      attributes: chatAttributes(rng, { model, history, answer }),
      error: rng.chance(0.02) ? '429 rate limit reached for requests' : '',
    });
    history.push(answer);
    if (turn === turns - 1) break;
    const tool = rng.pick(tools);
    const result: Message = { role: 'tool', content: sentences(rng, rng.logUniform(200, 10_000)) };
    builder.add({
      ...at,
      parent: agent,
      name: `execute_tool ${tool}`,
      kind: KIND_INTERNAL,
      offsetUs: turnUs * (turn + 0.82),
      durationUs: turnUs * 0.15,
      attributes: [
        ['gen_ai.operation.name', 'execute_tool'],
        ['gen_ai.tool.name', tool],
        ['gen_ai.tool.call.id', `call_${rng.hex(24)}`],
        ['gen_ai.tool.call.result', result.content],
      ],
    });
    history.push(result);
  }
}

function chatAttributes(
  rng: Rng,
  { model, history, answer }: { model: string; history: readonly Message[]; answer: Message },
): Attribute[] {
  const prompt = JSON.stringify(history).slice(0, promptBytes.max);
  return [
    ['gen_ai.operation.name', 'chat'],
    ['gen_ai.provider.name', 'openai'],
    ['gen_ai.request.model', model],
    ['gen_ai.request.temperature', { double: 0.2 }],
    ['gen_ai.response.id', `resp_${rng.hex(32)}`],
    ['gen_ai.response.finish_reasons', ['stop']],
    ['gen_ai.usage.input_tokens', Math.ceil(prompt.length / 4)],
    ['gen_ai.usage.output_tokens', Math.ceil(answer.content.length / 4)],
    ['gen_ai.input.messages', prompt],
    ['gen_ai.output.messages', JSON.stringify([answer])],
  ];
}
