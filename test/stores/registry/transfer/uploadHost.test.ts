import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { type Http, type HttpRequest } from '../../../../src/io/httpMessages.ts';
import { describe as describeBytes } from '../../../../src/io/verify.ts';
import { type HostSettings } from '../../../../src/stores/registry/hosts.ts';
import { mayTakeUploads } from '../../../../src/stores/registry/transfer/uploadHost.ts';
import { cleanUp, connectTo, openBytes, repository } from '../harness.ts';

afterEach(cleanUp);

const REGISTRY = 'registry.example.com';
const content = Buffer.from('content');
const blob = describeBytes(content, 'application/octet-stream');

it.each([
  ['registry.example.com', 'registry.example.com:8443', true],
  ['registry.example.com', 'blobs.example.com', true],
  ['registry.example.com', 'example.com', true],
  ['example.com', 'a.b.example.com.', true],
  ['registry.example.com', 'registry.example.com.evil.test', false],
  ['registry.example.com', 'notexample.com', false],
  ['registry.example.com', 'blobs.example.org', false],
  ['a.shop.co.uk', 'b.shop.co.uk', true],
  ['shop.co.uk', 'evil.co.uk', false],
  ['registry', 'registry:5001', true],
  ['registry', 'storage', false],
  ['192.0.2.1', '192.0.2.1:5001', true],
  ['192.0.2.1', '198.51.2.1', false],
  ['[2001:db8::1]', '[2001:db8::2]', false],
  ['127.0.0.1:5000', 'localhost:9000', true],
  ['registry.example.com', 'localhost', false],
  ['registry.example.com', '169.254.169.254', false],
])('an upload to %s goes on to %s: %s', (registry, to, may) => {
  expect(mayTakeUploads(new URL(`https://${to}/`), new URL(`https://${registry}/`), {})).toBe(may);
});

describe('a registry that sends uploads elsewhere', () => {
  /** Pushes to a registry that names `location` for the content; what was asked, and how it ended. */
  async function push(location: string, settings: HostSettings = {}): Promise<{ asked: HttpRequest[]; end: unknown }> {
    const asked: HttpRequest[] = [];
    const http: Http = {
      async request(request) {
        asked.push(request);
        const headers = new Map(request.method === 'POST' ? [['location', [location]]] : []);
        return { status: request.method === 'POST' ? 202 : 201, headers, body: Readable.from([]) };
      },
      close: () => Promise.resolve(),
    };
    const credentials = { find: () => Promise.resolve({ kind: 'bearer', token: 'secret' } as const) };
    const side = connectTo({ http, credentials, hosts: new Map([[REGISTRY, settings]]) });
    const end = await repository(side, REGISTRY)
      .put(blob, openBytes(content))
      .catch((error: unknown) => error);
    return { asked, end };
  }

  it('within its domain is followed, without a login and never inside a private network', async () => {
    const { asked, end } = await push('https://blobs.example.com/put');
    expect(end).toBeUndefined();
    expect(asked.map(({ url, publicOnly }) => [url.host, publicOnly])).toEqual([
      [REGISTRY, false],
      ['blobs.example.com', true],
    ]);
    expect(asked.map(({ headers }) => headers?.['authorization'])).toEqual(['Bearer secret', undefined]);
  });

  it('is refused beyond its domain, and the content stays here', async () => {
    const { asked, end } = await push('https://blobs.example.org/put');
    expect(end).toMatchObject({
      code: 'OCL_UNSAFE',
      message: expect.stringContaining('blobs.example.org'),
      hint: expect.stringContaining('uploadHosts: [blobs.example.org]'),
    });
    expect(asked).toHaveLength(1);
  });

  it.each(['blobs.example.org', 'BLOBS.example.org:8443', '10.0.0.7'])(
    'is followed to %s, where its settings name that',
    async (name) => {
      const { asked, end } = await push(`https://${name}/put`, { uploadHosts: [name] });
      expect(end).toBeUndefined();
      expect(asked[1]).toMatchObject({ publicOnly: false });
      expect(asked[1]?.headers?.['authorization']).toBeUndefined();
    },
  );
});
