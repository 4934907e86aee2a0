/** What kind of answer a prompt asks for when it gives no schema. */
export type Intent =
  | 'json'
  | 'yaml'
  | 'xml'
  | 'html'
  | 'markdown'
  | 'options'
  | 'option'
  | 'number'
  | 'boolean'
  | 'date'
  | 'tagline'
  | 'sentence'
  | 'email'
  | 'list'
  | 'summary';

/** "only a number", "reply with the number", "as a number": a demand for that and nothing else. */
function asksOnlyFor(noun: string): RegExp {
  const article = '(?:a|an|the|one|your|its)';
  return new RegExp(
    `\\b(?:only|just|single|exactly one|nothing but)\\b[^.\\n]{0,40}\\b${noun}|` +
      `\\b(?:answer|reply|respond|return|output|give|provide)\\b(?: (?:me|back|with|only|just|exactly|as|in|it)){0,4} (?:${article} )?(?:[\\w-]+ ){0,3}${noun}|` +
      `\\b${noun}\\b[^.\\n]{0,20}\\b(?:only|alone|and nothing else)\\b|\\bas ${article} (?:\\w+ )?${noun}`,
    'i',
  );
}

const NUMBER = asksOnlyFor('(?:number|integer|decimal|percentage|score|amount|digits?)\\b');
const RANGE =
  /\b(?:score|rate|rating|number|estimate)\b[^\n]{0,80}\b(?:between|from|of|on a scale)\b[^\n]{0,30}\d+\s*(?:-|–|to|and)\s*\d+/i;
const BOOLEAN =
  /\btrue\b["'`]?\s*(?:or|\/|,)\s*["'`]?false\b|\byes\b["'`]?\s*(?:or|\/|,)\s*["'`]?no\b|\b(?:answer|reply|return|output)\b[^.\n]{0,30}\bboolean\b/i;
const DATE = new RegExp(`${asksOnlyFor('(?:date|day)\\b').source}|\\bYYYY-MM-DD\\b`, 'i');
const SEVERAL =
  /\b(?:any|some|several|one or more|zero or more|all|subset|at least one|more)\b[^.\n:]{0,30}\bof\b|\ball (?:that|which) apply\b|\bmulti(?:ple|[- ]?select)\b|\bone or more\b/i;

const FORMATS: [Intent, RegExp][] = [
  [
    'json',
    /\b(?:as|in|valid|only|return|respond with|reply with|output|a|strict|raw)\s+(?:a |an |one |single |valid |strict |raw )*json\b|\bjson\s+(?:only|object|array|document|format)\b/i,
  ],
  [
    'yaml',
    /\b(?:as|in|valid|only|return|respond with|reply with|output)\s+(?:a |valid )*yaml\b|\byaml\s+(?:only|document|format)\b/i,
  ],
  [
    'xml',
    /\b(?:as|in|valid|only|return|respond with|reply with|output)\s+(?:an |a |well-formed |valid )*xml\b|\bxml\s+(?:only|document|format)\b/i,
  ],
  [
    'html',
    /\b(?:as|in|valid|only|return|respond with|reply with|output)\s+(?:an |a |valid |simple )*html\b|\bhtml\s+(?:only|document|fragment|format)\b/i,
  ],
];
const STYLES: [Intent, RegExp][] = [
  ['tagline', /\b(?:tag ?line|slogan|headline|motto|strapline)\b/i],
  ['email', /\b(?:e-?mail|cold outreach|outreach message|letter)\b(?! address)/i],
  ['sentence', /\b(?:one|single|1|a)\s+(?:\w+ ){0,3}sentence\b|\bpitch\b|\bone-liner\b|\bone line\b/i],
  ['markdown', /\bmarkdown\b/i],
  ['list', /\b(?:bullet(?:s|ed| points?| list)|list (?:of )?(?:the |three|five|\d))\b/i],
];

/** Decides what is asked; a system message speaks of the form of the answer and is heard first. */
export function intentOf(system: string, instructions: string, options: readonly string[]): Intent {
  const both = `${system}\n${instructions}`;
  const format = FORMATS.find(([, pattern]) => pattern.test(both))?.[0];
  const choice = options.length >= 2 && !isYesOrNo(options);
  if (choice && /\bjson (?:array|list)\b|\barray of\b/i.test(both)) return 'options';
  if (format) return format;
  if (choice) return SEVERAL.test(both) ? 'options' : 'option';
  if (BOOLEAN.test(both)) return 'boolean';
  if (DATE.test(both)) return 'date';
  if (NUMBER.test(both) || RANGE.test(both)) return 'number';
  return STYLES.find(([, pattern]) => pattern.test(both))?.[0] ?? 'summary';
}

function isYesOrNo(options: readonly string[]): boolean {
  const known = new Set(['yes', 'no', 'true', 'false']);
  return options.every((option) => known.has(option.toLowerCase()));
}
