import { integerAt, invalid, isObject, listAt } from './checks.js';
import { piecesOf, type JsonObject, type Reply, type ServerTool, type Source, type Turn } from './wire.js';

/** Anthropic's own tools that a request allows; only the search has a cap. */
export function serverTools(body: JsonObject): { tools: ServerTool[]; toolCap?: number } {
  let toolCap: number | undefined;
  const tools = listAt(body, 'tools').flatMap((tool, index): ServerTool[] => {
    if (!isObject(tool) || typeof tool.type !== 'string') return [];
    if (/^web_search_\d{8}$/.test(tool.type)) {
      refuseName(tool, index, 'web_search');
      toolCap = integerAt(tool, 'max_uses', 1);
      return ['web_search'];
    }
    if (!/^code_execution_\d{8}$/.test(tool.type)) return [];
    refuseName(tool, index, 'code_execution');
    return ['code_interpreter'];
  });
  return { tools, toolCap };
}

function refuseName(tool: JsonObject, index: number, name: string): void {
  const path = `tools.${index}.name`;
  if (tool.name !== name) throw invalid(path, `${path}: Input should be '${name}'`);
}

/**
 * The content of an answer: what was left open by the paused turn that the request goes on with, the uses of tools
 * with what they gave, and the text. A paused turn says its text first and ends with a use that has no result yet.
 */
export function contentBlocks(turn: Turn): JsonObject[] {
  const { reply } = turn;
  const text = { type: 'text', text: reply.text, citations: citationsOf(reply) };
  const used = toolBlocks(turn);
  if (reply.finish !== 'pause') return [...openResult(turn), ...used, text];
  return [...openResult(turn), text, ...used.slice(0, -1)];
}

/** Where code runs: the container that the request names, or a new one. */
export function containerOf({ ask, reply, id, created }: Turn): JsonObject | null {
  if (!reply.usage?.code_runs) return null;
  const given = ask.body.container;
  const expires_at = new Date((created + 1200) * 1000).toISOString();
  return { id: typeof given === 'string' ? given : `container_${id}`, expires_at, skills: null };
}

function toolBlocks({ ask, reply, id }: Turn): JsonObject[] {
  const { web_searches = 0, code_runs = 0 } = reply.usage ?? {};
  const use = (count: number, name: string, input: JsonObject) =>
    Array.from({ length: count }, (_, index) => {
      const block = {
        type: 'server_tool_use',
        id: `srvtoolu_${name}_${id}_${index}`,
        name,
        input,
        caller: DIRECT,
      };
      return [block, resultOf(block, reply.sources)];
    }).flat();
  return [
    ...use(web_searches, 'web_search', { query: ask.prompt.slice(0, 80) }),
    ...use(code_runs, 'bash_code_execution', { command: 'true' }),
  ];
}

const DIRECT = { type: 'direct' };

function resultOf({ id, name }: JsonObject, sources: readonly Source[] = []): JsonObject {
  const found = sources.map(({ url, title }) => ({
    type: 'web_search_result',
    url,
    title,
    encrypted_content: Buffer.from(url).toString('base64'),
    page_age: null,
  }));
  const ran = { type: 'bash_code_execution_result', stdout: '', stderr: '', return_code: 0, content: [] };
  const content = name === 'web_search' ? found : ran;
  return { type: `${String(name)}_tool_result`, tool_use_id: id, content, caller: DIRECT };
}

/** The result of the use that the last message of the request ends with. */
function openResult({ ask }: Turn): JsonObject[] {
  const last = (ask.body.messages as JsonObject[] | undefined)?.at(-1);
  const open =
    last?.role === 'assistant' && Array.isArray(last.content) ? (last.content.at(-1) as unknown) : undefined;
  return isObject(open) && open.type === 'server_tool_use' ? [resultOf(open)] : [];
}

function citationsOf({ sources = [] }: Reply): JsonObject[] | null {
  if (sources.length === 0) return null;
  return sources.map(({ url, title, quote }) => ({
    type: 'web_search_result_location',
    url,
    title,
    cited_text: quote,
    encrypted_index: Buffer.from(url).toString('base64'),
  }));
}

/** The events of one block of a stream: a text comes in pieces, anything else whole. */
export function blockEvents(block: JsonObject, index: number): JsonObject[] {
  const isText = block.type === 'text';
  const start = isText ? { type: 'text', text: '', citations: null } : block;
  const pieces = isText ? piecesOf(String(block.text)).map((text) => ({ type: 'text_delta', text })) : [];
  const cited = isText ? ((block.citations as JsonObject[] | null) ?? []) : [];
  const deltas = [...pieces, ...cited.map((citation) => ({ type: 'citations_delta', citation }))];
  return [
    { type: 'content_block_start', index, content_block: start },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ];
}
