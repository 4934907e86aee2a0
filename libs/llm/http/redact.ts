const LONGEST_DETAIL = 300;
/** Text beyond this is not looked at: it could not be shown anyway. */
const LONGEST_READ = 600;
/** A run of this many characters shared with the API key is taken for a part of the key. */
const KEY_RUN = 8;
/** A run of this many characters shared with the prompt is taken for a quotation of it. */
const PROMPT_RUN = 12;

const KEY_SHAPES = [
  /\bBearer\s+\S+/gi,
  /\b(?:sk|pk|rk|gsk|xai|nvapi|hf|key)[-_][\w*.…-]{2,}[\w*]/gi,
  /[\w-]*\*{3,}[\w*-]*/g,
  /\b[A-Za-z0-9+/=_]{32,}/g,
];

/**
 * What a provider says about an error, made fit to be stored and shown: on one line, at most 300 characters,
 * without the API key, anything that looks like one, or quotations of what was sent to it.
 *
 * @example redact('Incorrect API key provided: sk-abc***xyz.', { apiKey, sent: [] })
 * // 'Incorrect API key provided: [key].'
 */
export function redact(text: string, secrets: { apiKey: string; sent: string[] }): string {
  const { apiKey, sent } = secrets;
  const line = oneLine(text.slice(0, LONGEST_READ));
  const withoutKey = apiKey ? line.replaceAll(apiKey, '[key]') : line;
  const withoutShapes = KEY_SHAPES.reduce((rest, shape) => rest.replace(shape, '[key]'), withoutKey);
  const withoutParts = withoutRuns(withoutShapes, [apiKey], KEY_RUN, '[key]');
  const quotable = sent.flatMap((part) => [oneLine(part), JSON.stringify(part).slice(1, -1)]);
  const clean = withoutRuns(withoutParts, quotable, PROMPT_RUN, '[prompt]');
  return clean.length > LONGEST_DETAIL ? `${clean.slice(0, LONGEST_DETAIL - 1)}…` : clean;
}

function oneLine(text: string): string {
  return text.replace(/[\s\u0000-\u001f\u007f]+/g, ' ').trim();
}

/** Replaces every stretch of a text that is made of runs found in one of the sources. */
function withoutRuns(text: string, sources: string[], run: number, replacement: string): string {
  let result = '';
  let coveredTo = 0;
  for (let start = 0; start + run <= text.length; start++) {
    const piece = text.slice(start, start + run);
    if (!sources.some((source) => source.includes(piece))) continue;
    if (start > coveredTo || coveredTo === 0) result += text.slice(coveredTo, start) + replacement;
    coveredTo = start + run;
  }
  return result + text.slice(coveredTo);
}
