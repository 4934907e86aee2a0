import { countTokens } from '../tokens.js';
import { invalid, isObject } from './checks.js';

/** What a small picture costs; the simulator looks at none. */
const TOKENS_OF_MEDIA = 85;
/** Tokens that divide one message from the next. */
const TOKENS_OF_FRAME = 4;

export interface Content {
  text: string;
  tokens: number;
}

/** The text of a message's content: a string, or a list of parts of the types a provider allows. */
export function readContent(content: unknown, path: string, types: ReadonlySet<string>): Content {
  if (typeof content === 'string') return { text: content, tokens: countTokens(content) };
  if (!Array.isArray(content)) {
    throw invalid(
      path,
      `Invalid type for '${path}': expected a string or an array of content parts.`,
      'invalid_type',
    );
  }
  const texts: string[] = [];
  let media = 0;
  (content as unknown[]).forEach((part, index) => {
    const text = partText(part, `${path}[${index}]`, types);
    if (text === undefined) media += TOKENS_OF_MEDIA;
    else texts.push(text);
  });
  const text = texts.join('\n');
  return { text, tokens: countTokens(text) + media };
}

function partText(part: unknown, path: string, types: ReadonlySet<string>): string | undefined {
  if (!isObject(part)) throw invalid(path, `Invalid type for '${path}': expected an object.`, 'invalid_type');
  const { type } = part;
  if (typeof type !== 'string' || !types.has(type)) {
    throw invalid(
      `${path}.type`,
      `Invalid value: '${String(type)}'. Supported values are: ${[...types].map((name) => `'${name}'`).join(', ')}.`,
      'invalid_value',
    );
  }
  if (!/^(?:text|input_text|output_text|refusal)$/.test(type))
    return type.startsWith('tool_') ? JSON.stringify(part) : undefined;
  const text = part[type === 'refusal' ? 'refusal' : 'text'];
  if (typeof text === 'string') return text;
  throw invalid(`${path}.text`, `Invalid type for '${path}.text': expected a string.`, 'invalid_type');
}

export interface Message extends Content {
  role: string;
}

/** The messages as a question, and all of their tokens. */
export function conversation(messages: Message[]): { system: string; prompt: string; tokens: number } {
  const said = (roles: string[]) =>
    messages
      .filter(({ role }) => roles.includes(role))
      .map(({ text }) => text)
      .join('\n\n');
  const tokens = messages.reduce((sum, message) => sum + message.tokens + TOKENS_OF_FRAME, 3);
  return { system: said(['system', 'developer']), prompt: said(['user']), tokens };
}

/** Tokens of what describes tools or a schema. */
export function tokensOfJson(value: unknown): number {
  return value === undefined || value === null ? 0 : countTokens(JSON.stringify(value));
}
