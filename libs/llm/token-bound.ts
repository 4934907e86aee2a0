/** Tokens that a chat template adds around a request: priming, default system texts of open models. */
const FRAMING_PER_REQUEST = 128;
/** Tokens that mark where a message starts and ends and who speaks. */
const FRAMING_PER_MESSAGE = 16;
/** Instructions a provider wraps around a response schema. */
const FRAMING_OF_SCHEMA = 512;

/**
 * An upper bound on the input tokens of a request: no tokenizer in use makes more tokens than there are UTF-8
 * bytes, and JSON text has at least the bytes of what it quotes. Counting with a tokenizer instead is
 * superlinear on long unbroken runs, and wrong for every model but its own.
 *
 * @param body what will be sent, ready for JSON
 */
export function inputTokenBound(body: object, messages: number, hasSchema: boolean): number {
  const bytes = Buffer.byteLength(JSON.stringify(body));
  return bytes + FRAMING_PER_REQUEST + messages * FRAMING_PER_MESSAGE + (hasSchema ? FRAMING_OF_SCHEMA : 0);
}
