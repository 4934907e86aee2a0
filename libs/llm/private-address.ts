import { BlockList, isIPv4, isIPv6 } from 'node:net';

const PRIVATE_IPV4: [network: string, prefix: number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier NAT; also the metadata service of some clouds
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local, and with it the metadata service of most clouds
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

const PRIVATE_IPV6: [network: string, prefix: number][] = [
  ['::', 96], // unspecified, loopback, and IPv4 in its old disguise
  ['::ffff:0:0', 96], // IPv4 in its present one
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

const IPV4 = blockList('ipv4', PRIVATE_IPV4);
const IPV6 = blockList('ipv6', PRIVATE_IPV6);
const PRIVATE_NAMES =
  /(^|\.)(localhost|local|localdomain|internal|intranet|lan|home|corp|private|home\.arpa)$/;

/**
 * Whether a host name, as `URL.hostname` gives it, is or could be inside the operator's own network: private,
 * loopback, link-local, metadata and reserved addresses, IPv4 wrapped in IPv6, and names of local networks.
 */
export function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$|%.*$/g, '').replace(/\.$/, '');
  if (isIPv4(host)) return IPV4.check(host, 'ipv4');
  if (isIPv6(host)) return IPV6.check(host, 'ipv6');
  return !host.includes('.') || PRIVATE_NAMES.test(host);
}

function blockList(type: 'ipv4' | 'ipv6', networks: [string, number][]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of networks) list.addSubnet(network, prefix, type);
  return list;
}
