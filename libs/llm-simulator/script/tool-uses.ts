import type { Ask, ServerTool, Source, Usage } from '../wires/wire.js';

type ToolCounts = Pick<Usage, 'web_searches' | 'code_runs' | 'file_searches' | 'images'>;

const COUNT_OF: Record<ServerTool, keyof ToolCounts> = {
  web_search: 'web_searches',
  code_interpreter: 'code_runs',
  file_search: 'file_searches',
  image_generation: 'images',
};
/** Tokens that what a tool found adds to the context. */
const TOKENS_OF_RESULT = 120;

export const NO_TOOLS: ToolCounts = { web_searches: 0, code_runs: 0, file_searches: 0, images: 0 };

/** Each tool that was offered is used once, as far as the cap goes. */
export function usualUses({ tools = [], toolCap = Infinity }: Ask): ToolCounts {
  const used = tools.slice(0, toolCap).map((tool): [keyof ToolCounts, number] => [COUNT_OF[tool], 1]);
  return { ...NO_TOOLS, ...Object.fromEntries(used) };
}

/** The model runs once more after each use, on all that it had and what was found. */
export function inputWithTools(tokens: number, counts: ToolCounts): number {
  const uses = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return tokens * (uses + 1) + (TOKENS_OF_RESULT * uses * (uses + 1)) / 2;
}

/** A made-up page for each search. */
export function usualSources({ prompt }: Ask, { web_searches: count }: ToolCounts): Source[] {
  return Array.from({ length: count }, (_, index) => ({
    url: `https://example.com/found/${index + 1}`,
    title: `Page ${index + 1}`,
    quote: prompt.slice(0, 60),
  }));
}
