import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError } from '#libs/common';
import { PriceBook, type Price } from '#libs/accounting';
import {
  LLM_OPTIONS,
  ProviderKeys,
  ProviderRegistry,
  type LlmOptions,
  type LlmProvider,
  type LlmRequest,
  type ResolvedKey,
} from '#libs/llm';
import { ParserRegistry } from '../parsers/parser-registry.js';
import type { Parser } from '../parsers/parser.js';
import type { PromptedCall } from './ai-process.js';
import { fingerprintOf } from './fingerprint.js';

/** A call with everything that was looked up for it: it can be priced, held for and made. */
export interface PreparedCall {
  prompted: PromptedCall;
  provider: LlmProvider;
  key: ResolvedKey;
  price: Price | undefined;
  parser: Parser;
  request: LlmRequest;
  fingerprint: string;
}

/** Turns what a process asks for into a request to a provider, with its key, its price and its fingerprint. */
@Injectable()
export class CallPreparer {
  constructor(
    private readonly registry: ProviderRegistry,
    private readonly keys: ProviderKeys,
    private readonly prices: PriceBook,
    private readonly parsers: ParserRegistry,
    @Inject(LLM_OPTIONS) private readonly options: LlmOptions,
  ) {}

  /** @throws FieldsmithError `provider_key_missing` when nobody has a key for the provider; `tool_unknown` */
  async prepare(em: EntityManager, tenantId: string, prompted: PromptedCall): Promise<PreparedCall> {
    const provider = this.registry.resolve({ provider: prompted.provider, model: prompted.model });
    refuseForeignTools(provider, prompted);
    const parser = this.parsers.get(prompted.outputType);
    const [key, price] = await Promise.all([
      this.keys.resolve(em, tenantId, provider.name),
      this.prices.find(em, tenantId, provider.name, prompted.model, new Date()),
    ]);
    if (!key) throw keyMissing(provider.name);
    const wanted = this.requestOf(prompted, parser);
    const request = provider.asSent?.(wanted) ?? wanted;
    const { outputType, parserOptions } = prompted;
    const fingerprint = fingerprintOf({
      provider: provider.name,
      baseUrl: key.source === 'simulator' ? undefined : key.credentials.baseUrl,
      request,
      outputType,
      parserOptions,
    });
    return { prompted, provider, key, price, parser, request, fingerprint };
  }

  private requestOf(prompted: PromptedCall, parser: Parser): LlmRequest {
    const instructions = parser.instructions(prompted.parserOptions);
    const system = [prompted.system, instructions].filter(Boolean).join('\n\n');
    return {
      model: prompted.model,
      system: system || undefined,
      messages: [{ role: 'user', content: prompted.prompt }],
      maxTokens: prompted.maxTokens,
      temperature: prompted.temperature,
      tools: prompted.tools,
      responseSchema: parser.responseSchema?.(prompted.parserOptions),
      timeoutMs: this.options.timeoutMs,
    };
  }
}

/** A default model may have changed since the field was configured. */
function refuseForeignTools({ name, tools = [] }: LlmProvider, { tools: wanted }: PromptedCall): void {
  const foreign = wanted?.names.find((tool) => !tools.includes(tool));
  if (foreign === undefined) return;
  const remedy = `take it out of allowed_tools, or name a model of a provider that has it`;
  throw new FieldsmithError('tool_unknown', `${name} has no ${foreign}: ${remedy}.`, { status: 422 });
}

function keyMissing(provider: string): FieldsmithError {
  return new FieldsmithError(
    'provider_key_missing',
    `There is no key for ${provider}: store one with PUT /provider-keys/${provider}.`,
    { status: 422 },
  );
}
