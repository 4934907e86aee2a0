import fc from 'fast-check';
import { checkAllowlist, checkBaseUrl, connectPolicy } from './base-url-policy.js';
import { isPrivateHost } from './private-address.js';

const allowlist = [
  'https://llm.example.com/v1',
  'https://*.models.example.org',
  'http://127.0.0.1:8080',
  'https://open.example.net/',
  'https://*.corp.internal',
];
const check = (url: string) => checkBaseUrl(url, { allowlist });

describe('connectPolicy', () => {
  const mayConnect = connectPolicy({
    allowlist: [...allowlist, 'https://llm.internal', 'http://[::1]:8081'],
  });
  const may = (url: string, address: string) => mayConnect(new URL(url), address);

  it.each([
    ['a public address', 'https://llm.example.com/v1', '93.184.216.34'],
    ['a public address of IPv6', 'https://a.models.example.org', '2606:4700::1111'],
    ['an address that the operator names', 'http://127.0.0.1:8080/v1', '127.0.0.1'],
    ['a name for an address that the operator names', 'http://a.models.example.org:8080', '127.0.0.1'],
    ['an address of IPv6 that the operator names', 'http://[::1]:8081', '::1'],
    ['what a private name that the operator names leads to', 'https://llm.internal', '10.1.2.3'],
  ])('allows %s', (_what, url, address) => {
    expect(may(url, address)).toBe(true);
  });

  it.each([
    ['a private address of a listed name', 'https://llm.example.com/v1', '10.0.0.7'],
    ['a private address of a wildcard', 'https://a.models.example.org', '192.168.0.1'],
    ['a private address of a private wildcard', 'https://a.corp.internal', '10.0.0.7'],
    ['the metadata of a cloud', 'https://a.models.example.org', '169.254.169.254'],
    ['the loopback of IPv6', 'https://a.models.example.org', '::1'],
    ['IPv4 wrapped in IPv6', 'https://a.models.example.org', '::ffff:10.0.0.7'],
    ['a link-local address with its zone', 'https://a.models.example.org', 'fe80::1%eth0'],
    ['an address that the operator names with another port', 'http://a.models.example.org:8082', '127.0.0.1'],
    ['an address that the operator names with another scheme', 'https://127.0.0.1:8080', '127.0.0.1'],
  ])('refuses %s', (_what, url, address) => {
    expect(may(url, address)).toBe(false);
  });
});

describe('checkBaseUrl', () => {
  it.each([
    ['https://llm.example.com/v1', 'https://llm.example.com/v1'],
    ['https://llm.example.com/v1/', 'https://llm.example.com/v1'],
    ['HTTPS://LLM.Example.com:443/v1/eu', 'https://llm.example.com/v1/eu'],
    ['https://a.models.example.org/v1', 'https://a.models.example.org/v1'],
    ['https://a.b.models.example.org', 'https://a.b.models.example.org'],
    ['http://127.0.0.1:8080/v1', 'http://127.0.0.1:8080/v1'],
    ['http://2130706433:8080', 'http://127.0.0.1:8080'],
    ['https://open.example.net/any/path', 'https://open.example.net/any/path'],
  ])('allows %s', (url, normal) => {
    expect(check(url)).toBe(normal);
  });

  it.each([
    ['another path', 'https://llm.example.com/v2'],
    ['a path that only starts alike', 'https://llm.example.com/v10'],
    ['a path that climbs out', 'https://llm.example.com/v1/../admin'],
    ['a path that climbs out, encoded', 'https://llm.example.com/v1/%2e%2e/admin'],
    ['another scheme', 'http://llm.example.com/v1'],
    ['another port', 'https://llm.example.com:8443/v1'],
    ['the bare domain of a wildcard', 'https://models.example.org'],
    ['a host that only ends alike', 'https://evilmodels.example.org'],
    ['a host that starts alike', 'https://llm.example.com.evil.test/v1'],
  ])('refuses %s', (_what, url) => {
    expect(() => check(url)).toThrow(/base_url: .* is not among the addresses .* PROVIDER_URL_ALLOWLIST/);
  });

  it.each([
    ['no URL', 'llm.example.com/v1', 'complete URL'],
    ['nothing', '', 'complete URL'],
    ['a line end', 'https://llm.example.com/v1\n', 'complete URL'],
    ['a backslash', 'https://llm.example.com\\@evil.test', 'complete URL'],
    ['something endless', `https://llm.example.com/v1/${'a'.repeat(2000)}`, 'complete URL'],
    ['another protocol', 'file:///etc/passwd', 'https:// or http://'],
    ['a user name', 'https://me@llm.example.com/v1', 'user name'],
    ['credentials', 'https://me:secret@llm.example.com/v1', 'user name'],
    ['a query', 'https://llm.example.com/v1?x=1', 'query'],
    ['an empty query', 'https://llm.example.com/v1?', 'query'],
    ['a fragment', 'https://llm.example.com/v1#x', 'fragment'],
    ['an encoded slash', 'https://llm.example.com/v1/a%2fb', '%'],
  ])('refuses %s', (_what, url, message) => {
    expect(() => check(url)).toThrow(
      expect.objectContaining({ status: 422, message: expect.stringContaining(message) }),
    );
  });

  it.each([
    'http://localhost:8080',
    'http://127.0.0.1',
    'http://127.1:9000',
    'http://0x7f.0.0.1:9000',
    'http://017700000001:9000',
    'http://169.254.169.254/latest',
    'http://[::1]:8080',
    'http://[::ffff:127.0.0.1]:8080',
    'https://metadata.corp.internal',
  ])('refuses the private address %s, which the list does not name literally', (url) => {
    expect(() => check(url)).toThrow(/private network/);
  });

  it('never repeats credentials', () => {
    expect(() => check('https://me:secret@llm.example.com')).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') }),
    );
  });

  it('allows nothing with an empty list', () => {
    expect(() => checkBaseUrl('https://api.openai.com/v1', { allowlist: [] })).toThrow(/leave base_url out/);
  });

  it('accepts whatever it returned', () => {
    const segment = fc.stringMatching(/^[a-z0-9._-]{1,8}$/);
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 4 }), (path) => {
        const url = check(`https://open.example.net/${path.join('/')}`);
        expect(check(url)).toBe(url);
      }),
    );
  });
});

describe('checkAllowlist', () => {
  it('names every entry that cannot be understood', () => {
    const wrong = [
      'https://ok.example.com',
      'example.com',
      'https://*.com',
      'https://a.*.example.com',
      'ftp://x.example',
    ];
    expect(() => checkAllowlist({ allowlist: wrong })).toThrow(
      expect.objectContaining({
        errors: [1, 2, 3, 4].map((index) =>
          expect.objectContaining({ path: `PROVIDER_URL_ALLOWLIST[${index}]` }),
        ),
      }),
    );
  });

  it('is content with a good list', () => {
    expect(() => checkAllowlist({ allowlist })).not.toThrow();
  });
});

describe('isPrivateHost', () => {
  it.each([
    ...[
      '10.1.2.3',
      '100.64.0.1',
      '127.255.0.1',
      '169.254.169.254',
      '172.31.0.1',
      '192.168.1.1',
      '0.0.0.0',
      '255.255.255.255',
    ],
    ...[
      '[::]',
      '[::1]',
      '[::ffff:a00:1]',
      '[64:ff9b::a9fe:a9fe]',
      '[2002:7f00:1::]',
      '[fd00::1]',
      '[fe80::1]',
      '[ff02::1]',
    ],
    ...[
      'localhost',
      'localhost.',
      'a.localhost',
      'redis',
      'metadata.google.internal',
      'printer.local',
      'nas.home.arpa',
    ],
  ])('holds %s for private', (host) => {
    expect(isPrivateHost(host)).toBe(true);
  });

  it.each([
    '8.8.8.8',
    '172.32.0.1',
    '100.128.0.1',
    '[2606:4700::1111]',
    'api.openai.com',
    'local.example.com',
  ])('holds %s for public', (host) => {
    expect(isPrivateHost(host)).toBe(false);
  });
});
