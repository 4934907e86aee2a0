import type { Json } from '#libs/common';
import type { LlmRequest, ToolUse } from '../llm-provider.js';
import { readAnthropicAnswer, type ReadAnswer } from './anthropic-answer.js';
import { AnthropicProvider } from './anthropic-provider.js';
import { anthropicBody } from './anthropic-request.js';

const tools: ToolUse = { names: ['web_search', 'code_interpreter'], maxUses: 4 };
const request: LlmRequest & { tools: ToolUse } = {
  model: 'claude-sonnet-5',
  messages: [{ role: 'user', content: 'Hi' }],
  maxTokens: 50,
  timeoutMs: 1000,
  tools,
};
const provider = new AnthropicProvider();

const text = (said: string, citations: object[] | null = null) => ({ type: 'text', text: said, citations });
const use = (name: string) => ({ type: 'server_tool_use', id: 'srvtoolu_1', name, input: {} });
const found = { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] };
const message = (content: unknown, more: object = {}) =>
  JSON.stringify({
    model: 'claude-sonnet-5',
    content,
    stop_reason: 'end_turn',
    usage: { input_tokens: 100, output_tokens: 7, server_tool_use: { web_search_requests: 2 } },
    ...more,
  });

describe('a request with tools', () => {
  it('caps the search, and asks for no format that sources would break', () => {
    const schema = { type: 'object', properties: {}, required: [], additionalProperties: false };
    const body = anthropicBody({ ...request, responseSchema: { name: 'answer', schema } });
    expect(body.tools).toEqual([
      { type: 'web_search_20250305', name: 'web_search', max_uses: 4 },
      { type: 'code_execution_20250825', name: 'code_execution' },
    ]);
    expect(body).not.toHaveProperty('output_config');
    expect(provider.tools).toEqual(['web_search', 'code_interpreter']);
  });

  it('is bounded by the cap of the search, and by the pause of the API for code', () => {
    expect(provider.toolBounds(request)).toEqual({
      caps: { web_search: 4, code_interpreter: 10 },
      uses: 14,
      outputs: 15,
    });
    expect(provider.toolBounds({ tools: { names: ['web_search'], maxUses: 4 } })).toEqual({
      caps: { web_search: 4 },
      uses: 4,
      outputs: 5,
    });
  });
});

describe('a request that goes on with a paused turn', () => {
  const searching: ToolUse = { names: ['web_search'], maxUses: 4 };
  const after = (...content: Json[]) => ({ ...request, tools: searching, continuation: { content } });
  const capOf = (given: typeof request) =>
    anthropicBody(given).tools?.map((tool) => 'max_uses' in tool && tool.max_uses);

  it('may make the searches that are left of the cap, and is bounded by them', () => {
    const goesOn = after(use('web_search'), found, use('web_search'));
    expect(capOf(goesOn)).toEqual([2]);
    expect(provider.toolBounds(goesOn)).toEqual({ caps: { web_search: 2 }, uses: 2, outputs: 3 });
  });

  it('may make a search that was left open, though it is the last one', () => {
    const done = Array.from({ length: 3 }, () => [use('web_search'), found]).flat();
    expect(capOf(after(...done, use('web_search')))).toEqual([1]);
    expect(provider.toolBounds(after(...done, use('web_search')))).toMatchObject({ uses: 1 });
  });

  it('has no search where none is left, and other tools as before', () => {
    const done = Array.from({ length: 4 }, () => [use('web_search'), found]).flat();
    expect(anthropicBody(after(...done))).not.toHaveProperty('tools');
    expect(provider.toolBounds(after(...done))).toEqual({ caps: { web_search: 0 }, uses: 1, outputs: 2 });
    const both = { ...after(...done), tools };
    expect(anthropicBody(both).tools).toEqual([{ type: 'code_execution_20250825', name: 'code_execution' }]);
  });
});

describe('an answer with tools', () => {
  it('is what comes after the last use of a tool, with its sources and counts', () => {
    const cited = {
      type: 'web_search_result_location',
      url: 'https://a.example',
      title: 'A',
      cited_text: 'It is so.',
      encrypted_index: 'x',
    };
    const content = [
      text('Let me look.'),
      use('web_search'),
      found,
      text('It is '),
      text('so.', [cited, cited]),
    ];
    expect(readAnthropicAnswer(message(content), 'x')).toMatchObject({
      text: 'It is so.',
      citations: [{ url: 'https://a.example', title: 'A', quote: 'It is so.' }],
      usage: { input: 100, output: 7, toolCalls: { web_search: 2 } },
    });
  });

  it('counts runs of code by its blocks, those of this call only', () => {
    const ran = { type: 'bash_code_execution_tool_result', content: {} };
    const content = [use('bash_code_execution'), ran, use('text_editor_code_execution'), ran, text('Done.')];
    const before = { content: [use('code_execution')] };
    const more = { usage: { input_tokens: 1, output_tokens: 1 } };
    expect(readAnthropicAnswer(message(content, more), 'x', before)).toMatchObject({
      text: 'Done.',
      usage: { toolCalls: { code_interpreter: 2 } },
    });
  });

  it('goes on after a pause with what it has, and keeps the sources of both halves', () => {
    const cited = (url: string) => ({ url, title: null, cited_text: '' });
    const paused = readAnthropicAnswer(
      message([text('One.', [cited('https://a.example')]), use('web_search')], { stop_reason: 'pause_turn' }),
      'x',
    );
    expect(paused).toMatchObject({ stopReason: 'pause' });
    const { continuation } = paused as ReadAnswer;
    const done = readAnthropicAnswer(
      message([found, text('Two.', [cited('https://b.example')])]),
      'x',
      continuation,
    );
    expect(done).toMatchObject({
      text: 'Two.',
      citations: [{ url: 'https://a.example' }, { url: 'https://b.example' }],
    });
  });

  it('goes on in the container that it began in', () => {
    const more = { stop_reason: 'pause_turn', container: { id: 'container_1', expires_at: '2026-11-20' } };
    const paused = readAnthropicAnswer(message([use('bash_code_execution')], more), 'x') as ReadAnswer;
    const { continuation } = paused;
    expect(continuation).toMatchObject({ container: 'container_1' });
    expect(anthropicBody({ ...request, continuation }).container).toBe('container_1');
    const again = readAnthropicAnswer(message([], { stop_reason: 'pause_turn' }), 'x', continuation);
    expect(again).toMatchObject({ continuation });
    expect(anthropicBody(request)).not.toHaveProperty('container');
  });

  it('assumes nothing about what is in it', () => {
    const content = [null, 1, 'x', {}, { type: 'text' }, { type: 'text', text: 5, citations: [null, 7] }];
    expect(readAnthropicAnswer(message(content), 'x')).toMatchObject({ text: '', stopReason: 'stop' });
  });
});
