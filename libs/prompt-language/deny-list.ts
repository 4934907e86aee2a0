/** What no prompt may name unless the tenant decides otherwise: the default of `denied_fields`. */
export const DEFAULT_DENIED_FIELDS: readonly string[] = [
  'ssn',
  'social_security_number',
  'social_security',
  'national_id',
  'tax_id',
  'passport_number',
  'password',
  'passwords',
  'passwd',
  'password_hash',
  'passphrase',
  'token',
  'tokens',
  'api_key',
  'api_keys',
  'apikey',
  'access_key',
  'private_key',
  'secret',
  'secrets',
  'credentials',
  'credit_card',
  'credit_cards',
  'creditcard',
  'credit_card_number',
  'card_number',
  'cvv',
  'cvc',
  'pin',
  'bank_account',
  'account_number',
  'routing_number',
  'iban',
];

/**
 * Whether a deny list covers a field. An entry matches the whole slug or a sequence of its parts between
 * underscores, in any case, so that `ssn` covers `customer_ssn` and `api_key` covers `API_KEY_old`,
 * but `pin` does not cover `pinned`.
 *
 * @example isDenied('customer_ssn', DEFAULT_DENIED_FIELDS) // true
 */
export function isDenied(slug: string, denied: readonly string[]): boolean {
  const parts = `_${parted(slug)}_`;
  return denied.some((entry) => {
    const name = parted(entry);
    return name !== '' && parts.includes(`_${name}_`);
  });
}

/** Whether a change of the deny list takes a field from prompts that could read it. */
export function becomesDenied(slug: string, before: readonly string[], after: readonly string[]): boolean {
  return isDenied(slug, after) && !isDenied(slug, before);
}

function parted(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]/u)
    .filter((part) => part !== '')
    .join('_');
}
