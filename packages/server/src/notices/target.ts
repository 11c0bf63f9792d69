/**
 * Where notices may go: never to the addresses by which a machine is asked for its own secrets, nor to the service itself
 * and its sandbox, which trust what comes from this machine.
 */
import { lookup as resolve } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** What this machine and its network are: there `http` is as good as it gets. */
const OWN = new BlockList();
const LOOPBACK = new BlockList();
/** Link-local addresses (a cloud's metadata service among them), and those that are nobody's. */
const FORBIDDEN = new BlockList();

LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');
for (const [net, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
] as const) {
  OWN.addSubnet(net, prefix, 'ipv4');
}
OWN.addAddress('::1', 'ipv6');
OWN.addSubnet('fc00::', 7, 'ipv6');
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
] as const) {
  FORBIDDEN.addSubnet(net, prefix, 'ipv4');
}
FORBIDDEN.addAddress('::', 'ipv6');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
FORBIDDEN.addSubnet('ff00::', 8, 'ipv6');
/** Teredo: a way to a computer behind somebody's router, by IPv4 addresses that it carries. */
FORBIDDEN.addSubnet('2001::', 32, 'ipv6');
/** There clouds answer too: AWS, Google, Oracle, Alibaba, Azure. */
for (const address of ['fd00:ec2::254', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe']) FORBIDDEN.addAddress(address, 'ipv6');
for (const address of ['100.100.100.200', '168.63.129.16', '192.0.0.192']) FORBIDDEN.addAddress(address, 'ipv4');

/** IPv6 that a gateway turns into the IPv4 address within it: where that begins, in groups of 16 bits. */
const TRANSLATED = [
  { prefix: /^64:ff9b:0:0:0:0:/, at: 6 },
  { prefix: /^64:ff9b:1:/, at: 6 },
  { prefix: /^2002:/, at: 1 },
  { prefix: /^0:0:0:0:0:(?:0|ffff):/, at: 6 },
  { prefix: /^0:0:0:0:ffff:0:/, at: 6 },
] as const;

/**
 * Why a URL cannot be an endpoint, as far as its text tells; null when it can.
 * @param text - as the app wrote it
 * @param ownPorts - of this machine, where the service itself answers, or what belongs to it
 */
export function endpointProblem(text: string, ownPorts: readonly number[] = []): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || /[\s\p{Cc}]/u.test(text)) {
    return 'must be a whole URL such as https://app.example.com/tollgate';
  }
  if (url.username !== '' || url.password !== '') return 'must not carry a user name or password';
  if (url.hash !== '') return 'must not have a fragment';
  const address = literalAddress(url);
  return address === null ? null : addressProblem(address, url, ownPorts);
}

/** Why nothing is sent to a URL whose host has an address; null when it is. */
export function addressProblem(address: string, url: URL, ownPorts: readonly number[] = []): string | null {
  const plain = isIP(address) === 6 ? (translated(address) ?? address) : address;
  const kind = isIP(plain) === 6 ? 'ipv6' : 'ipv4';
  if (FORBIDDEN.check(plain, kind)) return `must not lead to ${address}, which no app can have`;
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  if (ownPorts.includes(port) && LOOPBACK.check(plain, kind)) {
    return `must not lead to port ${port} of this machine, which is Tollgate's own`;
  }
  if (url.protocol === 'http:' && !OWN.check(plain, kind)) {
    return 'may use http only within this machine and private networks; use https';
  }
  return null;
}

/** The IPv4 address that an IPv6 address leads to; null for one of its own. */
function translated(address: string): string | null {
  const groups = groupsOf(address);
  const whole = groups.join(':');
  const form = TRANSLATED.find(({ prefix }) => prefix.test(whole));
  // `::1` is this machine.
  if (form === undefined || whole === '0:0:0:0:0:0:0:1') return null;
  return groups
    .slice(form.at, form.at + 2)
    .flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff])
    .join('.');
}

/** Its eight groups, each as short as it can be written. */
function groupsOf(address: string): string[] {
  const { hostname } = new URL(`http://[${address.replace(/%.*$/, '')}]/`);
  const [before = '', after] = hostname.slice(1, -1).split('::');
  const head = before.split(':').filter((group) => group !== '');
  const tail = (after ?? '').split(':').filter((group) => group !== '');
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail];
}

/** The URL's host, when it is an address and no name. */
function literalAddress({ hostname }: URL): string | null {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return isIP(bare) === 0 ? null : bare;
}

/**
 * A name lookup that fails where an address may not be sent to: the connection is made to what was checked, however
 * often the name's answer changes.
 */
export function guardedLookup(url: URL, ownPorts: readonly number[] = []): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const problem = error ?? refusal(hostname, addresses, url, ownPorts);
      const [first] = addresses ?? [];
      if (problem !== null || first === undefined) done(problem ?? new Error(`${hostname} has no address.`), '');
      else if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
}

function refusal(
  hostname: string,
  addresses: readonly { address: string }[],
  url: URL,
  ownPorts: readonly number[],
): Error | null {
  for (const { address } of addresses) {
    const problem = addressProblem(address, url, ownPorts);
    if (problem !== null) return new Error(`${hostname} ${problem}.`);
  }
  return null;
}
