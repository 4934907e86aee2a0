import sanitizeHtml from 'sanitize-html';

const TEXT_TAGS =
  'p br hr h1 h2 h3 h4 h5 h6 blockquote pre code kbd samp b strong i em u s del ins mark small sub sup abbr span div';
const LIST_AND_TABLE_TAGS = 'ul ol li dl dt dd table caption thead tbody tfoot tr th td';

/** No images: loading one tells its server that the record was opened. */
const OPTIONS: sanitizeHtml.IOptions = {
  allowedTags: [...TEXT_TAGS.split(' '), ...LIST_AND_TABLE_TAGS.split(' '), 'a'],
  allowedAttributes: {
    a: ['href', 'title', 'rel'],
    td: ['colspan', 'rowspan'],
    th: ['colspan', 'rowspan', 'scope'],
    ol: ['start'],
  },
  allowedSchemes: ['http', 'https', 'mailto', 'tel'],
  allowProtocolRelative: false,
  nestingLimit: 50,
  nonTextTags: [
    'script',
    'style',
    'textarea',
    'option',
    'title',
    'noscript',
    'iframe',
    'object',
    'template',
    'svg',
    'math',
  ],
  transformTags: { a: sanitizeHtml.simpleTransform('a', { rel: 'noopener noreferrer nofollow' }) },
};

/** In Markdown nothing is dropped: `Promise<void>` is no tag to its author. */
const MARKDOWN_OPTIONS: sanitizeHtml.IOptions = {
  ...OPTIONS,
  disallowedTagsMode: 'escape',
  // Only `<` needs its escape to be safe; `>` begins a quotation and `&` is an ampersand.
  textFilter: (text) => text.replaceAll('&gt;', '>').replaceAll('&amp;', '&'),
};

const RAW_HTML = /<(?!https?:|mailto:)[a-z!/?]/i;
const AUTOLINK = /<((?:https?:|mailto:)[^\s<>]+)>/gi;

/** The HTML without anything that could run, load or restyle. */
export function safeHtml(html: string): string {
  return sanitizeHtml(html, OPTIONS);
}

/** The Markdown with unsafe raw HTML escaped; the very same text if it holds no raw HTML. */
export function safeMarkdown(markdown: string): string {
  if (!RAW_HTML.test(markdown)) return markdown;
  return sanitizeHtml(markdown.replace(AUTOLINK, '$1'), MARKDOWN_OPTIONS).trim();
}
