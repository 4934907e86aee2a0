import { integerAt, invalid, isObject, listAt } from './checks.js';
import type { JsonObject, ServerTool, Source, Turn } from './wire.js';

const TOOL_TYPES: Readonly<Record<string, ServerTool>> = {
  web_search: 'web_search',
  web_search_2025_08_26: 'web_search',
  file_search: 'file_search',
  code_interpreter: 'code_interpreter',
  image_generation: 'image_generation',
};
/** A picture of one pixel. */
const PICTURE =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** OpenAI's own tools that a request allows, and their cap, which all of them share. */
export function serverTools(body: JsonObject): { tools: ServerTool[]; toolCap?: number } {
  const tools = listAt(body, 'tools').flatMap((tool, index): ServerTool[] => {
    if (!isObject(tool) || typeof tool.type !== 'string' || !Object.hasOwn(TOOL_TYPES, tool.type)) return [];
    const path = `tools[${index}]`;
    if (tool.type === 'file_search') required(tool, path, 'vector_store_ids', isFilledList);
    if (tool.type === 'code_interpreter') required(tool, path, 'container', (value) => value !== undefined);
    return [TOOL_TYPES[tool.type] as ServerTool];
  });
  return { tools, toolCap: integerAt(body, 'max_tool_calls', 1) };
}

function required(tool: JsonObject, path: string, name: string, fits: (value: unknown) => boolean): void {
  if (fits(tool[name])) return;
  throw invalid(
    `${path}.${name}`,
    `Missing required parameter: '${path}.${name}'.`,
    'missing_required_parameter',
  );
}

function isFilledList(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

/** The output items of tools, in the order search, files, code, pictures. A search also opens a page, which is not charged. */
export function toolItems({ ask, reply, id }: Turn): JsonObject[] {
  const { web_searches = 0, file_searches = 0, code_runs = 0, images = 0 } = reply.usage ?? {};
  const query = ask.prompt.slice(0, 80);
  const each = (count: number, prefix: string, item: JsonObject) =>
    Array.from({ length: count }, (_, index) => ({
      id: `${prefix}_${id}_${index}`,
      status: 'completed',
      ...item,
    }));
  const opened = { id: `ws_${id}_page`, status: 'completed', type: 'web_search_call' };
  return [
    ...each(web_searches, 'ws', { type: 'web_search_call', action: { type: 'search', query } }),
    ...(web_searches > 0
      ? [{ ...opened, action: { type: 'open_page', url: reply.sources?.[0]?.url ?? null } }]
      : []),
    ...each(file_searches, 'fs', { type: 'file_search_call', queries: [query], results: null }),
    ...Array.from({ length: code_runs }, (_, index) => ({
      id: `ci_${id}_${index}`,
      type: 'code_interpreter_call',
      status: 'completed',
      code: 'print(1)',
      container_id: `cntr_${id}_${index}`,
      outputs: null,
    })),
    ...each(images, 'ig', { type: 'image_generation_call', result: PICTURE }),
  ];
}

/** Sources as annotations of the text, at its end. */
export function annotationsOf(sources: readonly Source[] = [], text: string): JsonObject[] {
  return sources.map(({ url, title }) => ({
    type: 'url_citation',
    start_index: text.length,
    end_index: text.length,
    url,
    title,
  }));
}
