import type { IncomingHttpHeaders } from 'node:http';
import type { Question } from '../answers/answer-text.js';

export type JsonObject = Record<string, unknown>;

/** A request, the same for every provider. */
export interface Ask extends Question {
  model: string;
  stream: boolean;
  /** Whether a stream ends with the usage. */
  includeUsage: boolean;
  /** Most tokens the answer may have; no limit where absent. */
  maxTokens?: number;
  stopSequences: string[];
  /** The provider's own tools that may be used. */
  tools?: ServerTool[];
  /** Most uses of each, or of all together; no cap where absent. */
  toolCap?: number;
  /** The tool that must be called; its input is the answer. `named` where the request named it itself. */
  tool?: { name: string; named: boolean };
  inputTokens: number;
  /** The request as it came, for what is echoed. */
  body: JsonObject;
}

/** Tools that a provider runs itself. */
export type ServerTool = 'web_search' | 'code_interpreter' | 'image_generation' | 'file_search';

/** A source that an answer names. */
export interface Source {
  url: string;
  title: string;
  quote: string;
}

/** Tokens and tool calls of one request, in buckets that exclude each other (except reasoning, which is in the output). */
export interface Usage {
  input_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  /** Written to Anthropic's one-hour cache. */
  cache_write_1h_tokens: number;
  output_tokens: number;
  reasoning_tokens: number;
  web_searches: number;
  code_runs: number;
  file_searches: number;
  images: number;
}

export type Finish = 'stop' | 'length' | 'refusal' | 'stop_sequence' | 'pause';

/** What is answered, the same for every provider. */
export interface Reply {
  text: string;
  finish: Finish;
  /** The sequence that ended the answer, for `stop_sequence`. */
  stopSequence?: string;
  /** Sources of the text. */
  sources?: Source[];
  /** `null`: the provider tells none. */
  usage: Usage | null;
}

/** One answered request, with what a provider makes up for it. */
export interface Turn {
  ask: Ask;
  reply: Reply;
  /** Unique among the answers of this simulator; without the provider's prefix. */
  id: string;
  /** Unix seconds. */
  created: number;
}

/** A refused request. */
export class Fault extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: { param?: string | null; code?: string | null; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.name = 'Fault';
  }
}

/** How one provider words requests, answers, streams and errors on one path. */
export interface Wire {
  readonly path: string;
  /** The API key of a request. Throws a {@link Fault} of status 401 where there is none. */
  keyOf(headers: IncomingHttpHeaders): string;
  /** The fault for a key that is not accepted. */
  badKey(key: string): Fault;
  /** Reads a request. Throws a {@link Fault} of status 400 that says what is wrong with it. */
  read(body: JsonObject, headers: IncomingHttpHeaders): Ask;
  document(turn: Turn): JsonObject;
  /** The server-sent events of a streamed answer, in order. */
  frames(turn: Turn): string[];
  fault(fault: Fault, requestId: string): JsonObject;
  /** Headers of every answer. */
  headers(requestId: string): Record<string, string>;
}

/** A text in pieces of a few words, as a provider streams it. */
export function piecesOf(text: string): string[] {
  return text.match(/\s*\S+(?:\s+\S+){0,2}\s*|\s+/g) ?? [];
}

/** An SSE frame; `event` is left out where the provider names none. */
export function frame(data: JsonObject | string, event?: string): string {
  const body = typeof data === 'string' ? data : JSON.stringify(data);
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${body}\n\n`;
}
