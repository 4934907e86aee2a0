import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError, InvalidInputError, type ErrorDetail, type Json } from '#libs/common';
import {
  ParserRegistry,
  type AiProcess,
  type ClaimedJob,
  type PromptedCall,
  type StoredResult,
} from '#libs/processing';
import { compilePrompt, isDenied, type CompiledPrompt } from '#libs/prompt-language';
import type { TenantSettings } from '#libs/tenants';

export const WORKFLOW_NODE = 'workflow_node';

/** What a node of a workflow asks for. */
export interface WorkflowNode {
  node_id: string;
  job_type?: string;
  prompt: string;
  model?: string;
  provider?: string;
  temperature?: number;
  max_tokens?: number;
  system_message?: string;
  output_type?: string;
  output_schema?: Record<string, Json>;
  options?: { choices?: string[] };
}

/** What the row of a workflow job holds; denied keys of the context are taken out before it is written. */
export interface WorkflowInput {
  node: WorkflowNode;
  context: Record<string, Json>;
  execution_id: string;
}

interface CollectedNode {
  input: WorkflowInput;
  settings: TenantSettings;
}

/** Runs one AI node of a workflow on the context that the caller gave. */
@Injectable()
export class WorkflowNodeProcess implements AiProcess<CollectedNode> {
  readonly type = WORKFLOW_NODE;

  constructor(private readonly parsers: ParserRegistry) {}

  /** Checks a node and leaves denied keys out of its context. @throws InvalidInputError with every error. */
  accept(
    node: WorkflowNode,
    context: Record<string, Json>,
    executionId: string,
    denied: readonly string[],
  ): WorkflowInput {
    const allowed = withoutDenied(context, denied);
    const errors: ErrorDetail[] = [];
    try {
      compileNode(node, allowed, denied);
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      errors.push(...error.errors);
    }
    const outputType = node.output_type ?? 'text';
    if (!this.parsers.has(outputType)) {
      errors.push({
        path: 'node_config.output_type',
        message: `must be one of ${this.parsers.names().join(', ')}`,
      });
    } else {
      const found = this.parsers.get(outputType).check?.(optionsOf(node)) ?? [];
      errors.push(...found.map(({ path, message }) => ({ path: `node_config.${path}`, message })));
    }
    if (errors.length > 0) throw new InvalidInputError(errors, 'invalid_node_config');
    return { node, context: allowed, execution_id: executionId };
  }

  collect(_em: EntityManager, job: ClaimedJob): Promise<CollectedNode> {
    return Promise.resolve({ input: job.input as unknown as WorkflowInput, settings: job.settings });
  }

  prompt(_job: ClaimedJob, { input, settings }: CollectedNode): PromptedCall {
    const { node } = input;
    // Once more: names may have come onto the list while the job waited.
    const context = withoutDenied(input.context, settings.deniedFields);
    const { prompt, system } = compileNode(node, context, settings.deniedFields);
    const given = { values: {}, variables: { ...context, workflow_data: context } };
    return {
      provider: node.provider,
      model: node.model ?? settings.defaultModel,
      system: system?.expand(given),
      prompt: prompt.expand(given),
      maxTokens: node.max_tokens ?? settings.defaultMaxTokens,
      temperature: node.temperature ?? settings.defaultTemperature,
      outputType: node.output_type ?? 'text',
      parserOptions: optionsOf(node),
      cacheSeconds: 0,
      config: node,
      sources: [],
    };
  }

  store(
    _em: EntityManager,
    _job: ClaimedJob,
    { input }: CollectedNode,
    result: StoredResult,
  ): Promise<object> {
    return Promise.resolve({
      node_id: input.node.node_id,
      execution_id: input.execution_id,
      value: result.value,
    });
  }
}

/** A context without the keys on the tenant's list, at any depth. */
export function withoutDenied(
  context: Record<string, Json>,
  denied: readonly string[],
  depth = 0,
): Record<string, Json> {
  if (depth > MAX_CONTEXT_DEPTH) {
    throw new FieldsmithError(
      'context_too_deep',
      `workflow_context is nested more than ${MAX_CONTEXT_DEPTH} deep: flatten it.`,
      { status: 422 },
    );
  }
  const clean = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(clean);
    return typeof value === 'object' && value !== null ? withoutDenied(value, denied, depth + 1) : value;
  };
  return Object.fromEntries(
    Object.entries(context)
      .filter(([key]) => !isDenied(key, denied))
      .map(([key, value]) => [key, clean(value)]),
  );
}

const MAX_CONTEXT_DEPTH = 32;

function compileNode(
  node: WorkflowNode,
  context: Record<string, Json>,
  denied: readonly string[],
): { prompt: CompiledPrompt; system?: CompiledPrompt } {
  const variables = [...Object.keys(context), 'workflow_data'];
  const excluded = new Map(denied.map((name) => [name, "it is on the tenant's list of denied fields"]));
  const compile = (text: string, key: string) =>
    compilePrompt(text, { fields: [], variables, excluded, path: `node_config.${key}` });
  return {
    prompt: compile(node.prompt, 'prompt'),
    system: node.system_message ? compile(node.system_message, 'system_message') : undefined,
  };
}

function optionsOf(node: WorkflowNode) {
  return { choices: node.options?.choices, schema: node.output_schema };
}
