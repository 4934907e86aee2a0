import type { ErrorDetail } from '#libs/common';
import type { Price } from '#libs/accounting';
import { TOOL_NAMES, type LlmProvider, type ToolName } from '#libs/llm';
import type { AiConfig } from './ai-config.js';
import { namedTools } from './field-tools.js';

/** What the tools of a field are checked against. */
export interface ToolTerms {
  provider: LlmProvider;
  /** All providers, to name one that has a missing tool. */
  providers: readonly LlmProvider[];
  model: string;
  price: Price | undefined;
  /** Whether any budget applies, so that every fee must be known. */
  limited: boolean;
}

/** Everything wrong with the tools of a configuration that can be said without a provider. */
export function toolNameErrors(config: AiConfig): ErrorDetail[] {
  const { allowed_tools: named = [], enable_tools: on, vector_store_ids: stores = [] } = config;
  const unknown = named.filter((name) => !TOOL_NAMES.some((known) => known === name));
  const errors = unknown.map((name) => ({
    path: 'ai_config.allowed_tools',
    message: `names ${JSON.stringify(name)}, which is no tool: use ${TOOL_NAMES.join(', ')}`,
  }));
  if (on && named.length === 0) {
    const message = `is missing: name the tools that may be used, of ${TOOL_NAMES.join(', ')}`;
    errors.push({ path: 'ai_config.allowed_tools', message });
  }
  if (on !== false && named.includes('file_search') && stores.length === 0) {
    const message = 'is missing: file_search looks in the vector stores named here';
    errors.push({ path: 'ai_config.vector_store_ids', message });
  }
  return errors;
}

/** Tools that the provider lacks, or whose fee nobody knows although a budget applies, each with what to do instead. */
export function toolTermErrors(config: AiConfig, terms: ToolTerms): ErrorDetail[] {
  const { provider, price, limited } = terms;
  const { tools: offered = [] } = provider;
  return namedTools(config).flatMap((tool) => {
    if (!offered.includes(tool)) return [error(lacking(tool, terms))];
    const isPriced = price === undefined || Object.hasOwn(price.tools, tool);
    return limited && !isPriced ? [error(unpriced(tool, terms))] : [];
  });
}

function error(message: string): ErrorDetail {
  return { path: 'ai_config.allowed_tools', message };
}

function lacking(tool: ToolName, { provider, providers }: ToolTerms): string {
  const others = providers.filter(({ tools = [] }) => tools.includes(tool)).map(({ name }) => name);
  const own = provider.tools?.length ? `use ${provider.tools.join(' or ')}` : 'leave tools out';
  const elsewhere = others.length > 0 ? `, or a model of ${others.join(' or ')}` : '';
  return `names ${tool}, which ${provider.name} does not have: ${own}${elsewhere}`;
}

function unpriced(tool: ToolName, { provider, model, price }: ToolTerms): string {
  const priced = provider.tools?.filter((name) => Object.hasOwn(price?.tools ?? {}, name)) ?? [];
  const instead = priced.length > 0 ? `, or use ${priced.join(' or ')}` : '';
  const body = `{"provider": "${provider.name}", "model": "${model}", "tools": {"${tool}_per_call": …}}`;
  return `names ${tool}, whose fee is not known for "${model}", and a budget applies: give it with PUT /model-prices ${body}${instead}`;
}
