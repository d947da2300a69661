import { BlockList, isIP } from 'node:net';

/** Addresses that are not of the public internet: this host, private networks, link-local (cloud metadata), carrier NAT, unspecified, multicast. */
const INTERNAL: readonly (readonly [network: string, prefix: number, type: 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
  ['::', 128, 'ipv6'],
  ['::1', 128, 'ipv6'],
  ['64:ff9b::', 96, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['fec0::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
];

/** Where clouds hand out the credentials of the machine that asks: no registry keeps anything there. */
const METADATA: readonly string[] = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '169.254.42.42',
  '169.254.0.23',
  '168.63.129.16',
  '100.100.100.200',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
  'fd00:42::42',
];
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'metadata.tencentyun.com',
  'instance-data',
  'instance-data.ec2.internal',
]);

const LOOPBACK: typeof INTERNAL = [
  ['127.0.0.0', 8, 'ipv4'],
  ['::1', 128, 'ipv6'],
];

const internal = listOf(INTERNAL);
const loopback = listOf(LOOPBACK);
const metadata = listOf(
  METADATA.flatMap((address): typeof INTERNAL =>
    isIP(address) === 6
      ? [[address, 128, 'ipv6']]
      : [
          [address, 32, 'ipv4'],
          // As networks with IPv6 alone write it (RFC 6052).
          [`64:ff9b::${address}`, 128, 'ipv6'],
        ],
  ),
);

/** @param hostname of a parsed URL, which has brought every way of writing an address into one form */
export function isLoopback(hostname: string): boolean {
  const host = bare(hostname);
  return isLocalName(host) || holds(loopback, host);
}

/** Whether a host is an address literal (or a name) that belongs to this machine or to a network behind a firewall. */
export function isInternal(hostname: string): boolean {
  const host = bare(hostname);
  return isLocalName(host) || holds(internal, host);
}

/** Whether a host is the service that gives a cloud's machine its credentials. */
export function isMetadataService(hostname: string): boolean {
  const host = bare(hostname);
  return METADATA_NAMES.has(host) || holds(metadata, host);
}

function bare(hostname: string): string {
  return hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

function holds(list: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

function listOf(entries: typeof INTERNAL): BlockList {
  const list = new BlockList();
  for (const [network, prefix, type] of entries) list.addSubnet(network, prefix, type);
  return list;
}
