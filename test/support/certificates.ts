import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

/** Texts are PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** The common name that errors show as the issuer. */
  readonly name: string;
  /**
   * @param names DNS names and addresses that the certificate is for; the first is its common name
   * @param validity a day before and after now, unless told otherwise
   */
  server(names: readonly string[], validity?: { readonly from?: Date; readonly until?: Date }): Pair;
  client(name: string): Pair;
}

const DAY = 86_400_000;

/** A private certificate authority, made by Node alone: certificates are written byte by byte (RFC 5280). */
export function createAuthority(name = 'ocl test authority'): Authority {
  const own = makeKeys();
  const issue = (subject: string, publicKey: KeyObject, span: readonly [Date, Date], extensions: readonly Buffer[]) =>
    certificate({ issuer: name, subject, span, publicKey, signer: own.privateKey, extensions });
  const today = [new Date(Date.now() - DAY), new Date(Date.now() + DAY)] as const;
  const leaf = (subject: string, span: readonly [Date, Date], purpose: string, more: readonly Buffer[] = []): Pair => {
    const { publicKey, privateKey } = makeKeys();
    const cert = issue(subject, publicKey, span, [
      extension(OID.basicConstraints, true, sequence()),
      extension(OID.keyUsage, true, bits(0x80, 7)),
      extension(OID.extendedKeyUsage, false, sequence(oid(purpose))),
      ...more,
    ]);
    return { cert, key: pemOf(privateKey) };
  };
  return {
    name,
    key: pemOf(own.privateKey),
    cert: issue(name, own.publicKey, today, [
      extension(OID.basicConstraints, true, sequence(tlv(0x01, Buffer.from([0xff])))),
      // For signing certificates, and for being shown itself.
      extension(OID.keyUsage, true, bits(0x86, 1)),
    ]),
    server: (names, { from = today[0], until = today[1] } = {}) =>
      leaf(names[0] ?? 'localhost', [from, until], OID.serverAuth, [
        extension(OID.subjectAltName, false, sequence(...names.map(generalName))),
      ]),
    client: (subject) => leaf(subject, today, OID.clientAuth),
  };
}

const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

interface Parts {
  readonly issuer: string;
  readonly subject: string;
  readonly span: readonly [Date, Date];
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly extensions: readonly Buffer[];
}

function certificate({ issuer, subject, span, publicKey, signer, extensions }: Parts): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguishedName(issuer),
    sequence(...span.map(time)),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensions)),
  );
  const signed = sequence(body, algorithm, tlv(0x03, Buffer.from([0]), sign('sha256', body, signer)));
  const lines = signed.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function makeKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}

function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tlv(0x30, ...parts);
}

function integer(value: Buffer): Buffer {
  return tlv(0x02, value);
}

function bits(value: number, unused: number): Buffer {
  return tlv(0x03, Buffer.from([unused, value]));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = rest.flatMap((part) => {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return tlv(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tlv(0x31, sequence(oid(OID.commonName), tlv(0x0c, Buffer.from(commonName, 'utf8')))));
}

/** UTCTime, which is for the years up to 2049. */
function time(date: Date): Buffer {
  return tlv(0x17, Buffer.from(`${date.toISOString().replaceAll(/[-T:]/g, '').slice(2, 14)}Z`));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [tlv(0x01, Buffer.from([0xff]))] : []), tlv(0x04, value));
}

function generalName(name: string): Buffer {
  const family = isIP(name);
  return family === 0 ? tlv(0x82, Buffer.from(name)) : tlv(0x87, family === 4 ? ipv4(name) : ipv6(name));
}

function ipv4(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function ipv6(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: missing }, () => '0'), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
