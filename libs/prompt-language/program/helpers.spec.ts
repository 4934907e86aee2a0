import type { Json } from '#libs/common';
import { compilePrompt } from '../compile-prompt.js';
import { HELPERS } from './helpers.js';

const variables: Record<string, Json> = {
  text: ' Ada Lovelace ',
  zero: 0,
  price: 1234.567,
  numeric: '12',
  empty: '',
  nothing: null,
  no: false,
  list: ['b', 'a', 3],
  none: [],
  object: { x: 1, y: [true] },
  relation: { id: '1', label: 'Acme' },
  day: '2026-11-20',
  time: '2026-11-20T08:05:00Z',
  emoji: 'ab😀cd',
};

function expand(source: string): string {
  return compilePrompt(source, { fields: [], variables: Object.keys(variables) }).expand({
    values: {},
    variables,
  });
}

const cases: [string, string][] = [
  ['{{upper text}}', ' ADA LOVELACE '],
  ['{{lower text}}', ' ada lovelace '],
  ['{{trim text}}', 'Ada Lovelace'],
  [
    '{{default empty "n/a"}} {{default nothing "n/a"}} {{default none "n/a"}} {{default zero "n/a"}} {{default no "n/a"}}',
    'n/a n/a n/a 0 false',
  ],
  [
    '{{default empty relation}} {{gt (default price 0) 5}} {{default empty 0.0000001}}',
    'Acme true 0.0000001',
  ],
  [
    '{{truncate text 4}}|{{truncate text 5 ""}}|{{truncate text 14}}|{{truncate text 0}}',
    ' Ad…| Ada | Ada Lovelace |',
  ],
  ['{{truncate emoji 4}}|{{truncate emoji 5 ""}}|{{truncate emoji numeric}}', 'ab…|ab😀c|ab😀cd'],
  ['{{replace text "a" "$&"}}|{{replace text "" "x"}}', ' Ad$& Lovel$&ce | Ada Lovelace '],
  [
    '{{date time}} {{date day "D MMM YYYY"}} {{date time "HH:mm"}} {{date text}}',
    '2026-11-20 20 Nov 2026 08:05  Ada Lovelace ',
  ],
  [
    '{{number price}} {{number price 1}} {{number numeric 2}} {{number empty 2}}{{number relation}}',
    '1234.567 1234.6 12.00 Acme',
  ],
  [
    '{{json text}} {{json object}} {{json nothing}} {{json list}}',
    '" Ada Lovelace " {"x":1,"y":[true]} null ["b","a",3]',
  ],
  ['{{join list}} {{join list " / "}} {{join list "\\n"}}{{join relation}}', 'b, a, 3 b / a / 3 b\na\n3Acme'],
  ['{{length text}} {{length list}} {{length object}} {{length nothing}} {{length price}}', '14 3 2 0 0'],
  [
    '{{contains list "a"}} {{contains list 3}} {{contains list "x"}} {{contains text "Love"}} {{contains text ""}}',
    'true true false true false',
  ],
  [
    '{{eq relation "Acme"}} {{eq price 1234.567}} {{eq numeric 12}} {{ne text "Ada"}} {{eq nothing ""}}',
    'true true true true true',
  ],
  [
    '{{gt price 5}} {{gt numeric 5}} {{lt day "2027-01-01"}} {{gte zero 0}} {{lte zero -1}} {{gt nothing 0}} {{lt nothing 0}}',
    'true true true true false false false',
  ],
  [
    '{{and text price}} {{and text zero price}} {{or no empty}} {{or no empty list}} {{not none}} {{not list}}',
    'true false false true true false',
  ],
  [
    '{{upper (truncate (trim text) 3 "")}} {{trim "it\'s"}} {{trim \'a"b\'}} {{trim "\\"\\d"}}',
    'ADA it\'s a"b "\\d',
  ],
];

describe('helpers', () => {
  it.each(cases)('%s gives %j', (source, expected) => expect(expand(source)).toBe(expected));

  it('are all tried here', () => {
    const tried = cases.map(([source]) => source).join();
    for (const name of HELPERS.keys()) expect(tried).toMatch(new RegExp(`[{(]${name} `));
  });
});
