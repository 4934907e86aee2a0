/** Labels of a domain: letters of any script, digits and inner hyphens. Each character is looked at once. */
const LABEL = /^[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?$/u;
const LOCAL = /^[^\s"(),:;<>@[\\\]\p{C}]{1,64}$/u;

/** Whether a text is an e-mail address: `local@domain.tld`, without quoting or comments, at most 254 characters. */
export function isEmail(text: string): boolean {
  if (text.length > 254) return false;
  const [local, domain, ...more] = text.split('@');
  if (local === undefined || domain === undefined || more.length > 0) return false;
  if (!LOCAL.test(local) || local.startsWith('.') || local.endsWith('.') || local.includes('..'))
    return false;
  const labels = domain.split('.');
  return labels.length > 1 && labels.every((label) => LABEL.test(label));
}

/** How an address is stored and looked up. */
export function normalEmail(text: string): string {
  return text.trim().toLowerCase();
}
