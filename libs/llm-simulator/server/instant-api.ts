import type { IncomingMessage, ServerResponse } from 'node:http';
import { NO_TOOLS } from '../script/tool-uses.js';
import { anthropicMessages } from '../wires/anthropic-messages.js';
import { openaiChat } from '../wires/openai-chat.js';
import { openaiResponses } from '../wires/openai-responses.js';
import type { Turn, Wire } from '../wires/wire.js';

const STREAMED = /"stream"\s*:\s*true/;

/** One fixed answer for every request of a path, made once: for benches, where the simulator must not be what is measured. */
export class InstantApi {
  private readonly answers = new Map(
    [openaiChat, openaiResponses, anthropicMessages].map((wire) => [wire.path, fixedAnswer(wire)]),
  );

  constructor(private readonly latencyMs: number) {}

  /** False where the path has no fixed answer. */
  handle(req: IncomingMessage, res: ServerResponse): boolean {
    const answer = req.method === 'POST' ? this.answers.get(req.url ?? '') : undefined;
    if (!answer) return false;
    let streamed = false;
    // A marker cut by a chunk's edge is missed; clients put `stream` in the first chunk or the last.
    req.on('data', (chunk: Buffer) => {
      streamed ||= STREAMED.test(chunk.toString('latin1'));
    });
    req.on('end', () => {
      if (this.latencyMs > 0) setTimeout(() => this.send(res, answer, streamed), this.latencyMs);
      else this.send(res, answer, streamed);
    });
    return true;
  }

  private send(res: ServerResponse, { document, stream }: FixedAnswer, streamed: boolean): void {
    if (res.destroyed) return;
    const body = streamed ? stream : document;
    res.writeHead(200, {
      'content-type': streamed ? 'text/event-stream' : 'application/json',
      'content-length': body.length,
    });
    res.end(body);
  }
}

interface FixedAnswer {
  document: Buffer;
  stream: Buffer;
}

function fixedAnswer(wire: Wire): FixedAnswer {
  const turn: Turn = {
    ask: {
      model: 'simulator-instant',
      system: '',
      prompt: '',
      wantsJson: false,
      stream: false,
      includeUsage: true,
      stopSequences: [],
      inputTokens: 20,
      body: {},
    },
    reply: {
      text: 'A short and fixed answer.',
      finish: 'stop',
      usage: {
        input_tokens: 20,
        cache_read_tokens: 0,
        cache_write_tokens: 0,
        cache_write_1h_tokens: 0,
        output_tokens: 6,
        reasoning_tokens: 0,
        ...NO_TOOLS,
      },
    },
    id: 'instant',
    created: Math.floor(Date.now() / 1000),
  };
  return {
    document: Buffer.from(JSON.stringify(wire.document(turn))),
    stream: Buffer.from(wire.frames(turn).join('')),
  };
}
