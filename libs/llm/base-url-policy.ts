import { InvalidInputError, type ErrorDetail } from '#libs/common';
import { isPrivateHost } from './private-address.js';

export interface BaseUrlPolicy {
  /**
   * Where tenants may send calls: origins, with a path prefix where wanted (`https://llm.example.com/v1`). A host
   * may start with `*.` for every name below a domain. Private addresses must be named literally.
   */
  allowlist: string[];
}

const LONGEST_URL = 2_000;

/**
 * Checks a base URL that a tenant gave against what the operator allows, and returns it in its normal form
 * without a slash at its end.
 *
 * It judges the text only; where the name leads to is for {@link connectPolicy}.
 *
 * @throws InvalidInputError at `base_url`, or at `PROVIDER_URL_ALLOWLIST` for an entry of the list itself.
 * @example checkBaseUrl('https://llm.example.com/v1/', { allowlist: ['https://*.example.com'] })
 * // 'https://llm.example.com/v1'
 */
export function checkBaseUrl(url: string, policy: BaseUrlPolicy): string {
  const parsed = parsePlainUrl(url);
  if (typeof parsed === 'string') throw invalid('base_url', parsed);
  const matching = parseAllowlist(policy).filter((entry) => matches(parsed, entry));
  const isPrivate = isPrivateHost(parsed.hostname);
  if (isPrivate && !matching.some((entry) => !entry.wildcard)) {
    throw invalid(
      'base_url',
      `${parsed.host} is an address of a private network: it is refused unless the operator names it literally in PROVIDER_URL_ALLOWLIST.`,
    );
  }
  if (matching.length === 0) {
    throw invalid(
      'base_url',
      `${parsed.origin}${trimmedPath(parsed)} is not among the addresses that the operator allows: ask for it to be added to PROVIDER_URL_ALLOWLIST, or leave base_url out to use the provider's own.`,
    );
  }
  return `${parsed.origin}${trimmedPath(parsed)}`;
}

/**
 * Checks the operator's list itself, for use at boot.
 *
 * @throws InvalidInputError naming every entry that cannot be understood.
 */
export function checkAllowlist(policy: BaseUrlPolicy): void {
  parseAllowlist(policy);
}

/** Whether a connection for a URL may be made to an address that its host has led to, or that its host is. */
export type ConnectPolicy = (url: URL, address: string) => boolean;

/**
 * Where connections for base URLs of tenants may go: anywhere but to private addresses, save those that the operator
 * names literally with the same scheme and port, as addresses or as names of a private network.
 *
 * @throws InvalidInputError naming every entry of the list that cannot be understood.
 * @example
 * const mayConnect = connectPolicy({ allowlist: ['https://*.example.com'] });
 * mayConnect(new URL('https://llm.example.com/v1'), '10.0.0.7'); // false
 */
export function connectPolicy(policy: BaseUrlPolicy): ConnectPolicy {
  const meant = parseAllowlist(policy).filter(({ host, wildcard }) => !wildcard && isPrivateHost(host));
  return (url, address) => {
    if (!isPrivateHost(address)) return true;
    const reached = [bare(url.hostname), bare(address)];
    return meant.some(
      ({ protocol, host, port }) =>
        protocol === url.protocol && port === url.port && reached.includes(bare(host)),
    );
  };
}

interface AllowedUrl {
  protocol: string;
  /** Without the leading `*` for a wildcard: `.example.com`. */
  host: string;
  port: string;
  path: string;
  wildcard: boolean;
}

function parseAllowlist({ allowlist }: BaseUrlPolicy): AllowedUrl[] {
  const errors: ErrorDetail[] = [];
  const entries: AllowedUrl[] = [];
  allowlist.forEach((text, index) => {
    const entry = parseEntry(text);
    if (typeof entry === 'string') errors.push({ path: `PROVIDER_URL_ALLOWLIST[${index}]`, message: entry });
    else entries.push(entry);
  });
  if (errors.length > 0) throw new InvalidInputError(errors);
  return entries;
}

function parseEntry(text: string): AllowedUrl | string {
  const url = parsePlainUrl(text);
  if (typeof url === 'string') return url;
  const wildcard = url.hostname.startsWith('*.');
  const host = wildcard ? url.hostname.slice(1) : url.hostname;
  if (host.includes('*')) return 'A * may stand only for the first part of the host: https://*.example.com.';
  if (wildcard && host.split('.').length < 3) {
    return 'A * must be followed by a domain of at least two parts: https://*.example.com.';
  }
  return { protocol: url.protocol, host: withoutDot(host), port: url.port, path: trimmedPath(url), wildcard };
}

function matches(url: URL, entry: AllowedUrl): boolean {
  if (url.protocol !== entry.protocol || url.port !== entry.port) return false;
  const host = withoutDot(url.hostname);
  if (entry.wildcard ? !host.endsWith(entry.host) : host !== entry.host) return false;
  const path = trimmedPath(url);
  return path === entry.path || path.startsWith(`${entry.path}/`);
}

/** Parses a URL that has nothing but scheme, host, port and path; a text says what is wrong with it. */
function parsePlainUrl(text: string): URL | string {
  // URL drops tabs and line ends and turns backslashes round: what it makes of them need not be what others do.
  const isClean = text.length <= LONGEST_URL && !/[\s\\]/.test(text) && URL.canParse(text);
  if (!isClean) return 'It must be a complete URL such as https://llm.example.com/v1.';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'It must start with https:// or http://.';
  if (url.username || url.password || text.includes('@'))
    return 'It must not contain a user name, a password or an @.';
  if (/[?#]/.test(text)) return 'It must not contain a query (?) or a fragment (#).';
  if (url.pathname.includes('%')) return 'Its path must not contain a %.';
  return url;
}

function trimmedPath(url: URL): string {
  return url.pathname.replace(/\/+$/, '');
}

/** Without the brackets of an IPv6 address in a URL. */
function bare(host: string): string {
  return withoutDot(host.replace(/^\[|\]$/g, ''));
}

function withoutDot(host: string): string {
  return host.replace(/\.$/, '');
}

function invalid(path: string, message: string): InvalidInputError {
  return new InvalidInputError([{ path, message }]);
}
