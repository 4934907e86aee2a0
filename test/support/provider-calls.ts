import type { ReceivedRequest, ScriptRule, Simulator } from '#libs/llm-simulator';

interface ChatBody {
  messages: { role: string; content: string }[];
}

/** What the user's message of each received call said, in the order the calls came. */
export function prompts(simulator: Simulator): string[] {
  return simulator.requests().map(promptOf);
}

/** What the first message of the user in a call said. */
export function promptOf(request: ReceivedRequest): string {
  return messageOf(request, 'user');
}

/** What the system message of a call said; empty where it had none. */
export function systemOf(request: ReceivedRequest): string {
  return messageOf(request, 'system');
}

function messageOf({ body }: ReceivedRequest, wanted: string): string {
  return (body as ChatBody).messages.find(({ role }) => role === wanted)?.content ?? '';
}

/** Rules that answer each prompt that holds the key with the text, as often as it comes. */
export function answering(answers: Record<string, string>): ScriptRule[] {
  return Object.entries(answers).map(([part, text]) => ({
    match: { prompt_includes: part },
    action: { type: 'answer', text },
  }));
}

/** A rule that holds the next call whose prompt holds the part, and then answers it with the text. */
export function holding(part: string, text: string): ScriptRule {
  return {
    match: { prompt_includes: part },
    times: 1,
    action: { type: 'hold', then: { type: 'answer', text } },
  };
}
