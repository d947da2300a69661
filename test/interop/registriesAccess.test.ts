import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anonymous, type Credentials } from '../../src/stores/registry/auth/credentials.ts';
import { type HostSettings } from '../../src/stores/registry/hosts.ts';
import { Content } from '../support/content.ts';
import { ACCOUNT, SERVERS, type Server } from '../support/servers.ts';
import { connect, pull, push } from './registriesClient.ts';

const wrong: Credentials = { find: () => Promise.resolve({ ...ACCOUNT, password: 'guessed' }) };

interface Case {
  readonly who: string;
  readonly code: string;
  /** What the error or its hint has to name. */
  readonly says: RegExp;
  readonly credentials?: Credentials;
  readonly without?: readonly (keyof HostSettings)[];
}

const nobody: Case = { who: 'nobody', code: 'OCL_UNAUTHORIZED', says: /ocl login/, credentials: anonymous };
const guess: Case = { who: 'a wrong password', code: 'OCL_UNAUTHORIZED', says: /ocl login/, credentials: wrong };
const strangers: readonly Case[] = [
  {
    who: 'a client that does not know the authority',
    code: 'OCL_UNREACHABLE',
    says: /authority.*--cert-dir/s,
    without: ['ca'],
  },
  {
    who: 'a client without a certificate',
    code: 'OCL_UNREACHABLE',
    says: /certificate of the client.*--cert-dir/s,
    without: ['clientCert', 'clientKey'],
  },
];

const REFUSALS: Readonly<Record<string, readonly Case[]>> = {
  '2.8, password': [nobody, guess],
  '2.8, client certificate': strangers,
  '2.8, tokens': [nobody, guess],
  '2.8 behind nginx': [nobody, guess],
  '3.0, tokens': [nobody, guess],
};

const guarded = SERVERS.filter(({ name }) => name in REFUSALS);

describe.each(guarded)('$name', ({ name, why, start }) => {
  describe.skipIf(why !== undefined)(`lets in${why === undefined ? '' : ` (${why})`}`, () => {
    let server: Server;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());

    it.each(REFUSALS[name] ?? [])('not $who, who is told what to do', async ({ code, says, credentials, without }) => {
      const left = Object.entries(server.settings).filter(([key]) => !(without as string[] | undefined)?.includes(key));
      const place = {
        host: server.host,
        settings: Object.fromEntries(left),
        credentials: credentials ?? server.credentials,
      };
      const client = connect(place);
      try {
        const failure: unknown = await client
          .repository('private')
          .find('v1')
          .catch((error: unknown) => error);
        expect(failure).toMatchObject({ code });
        const { message, hint = '' } = failure as { readonly message: string; readonly hint?: string };
        expect(`${message}\n${hint}`).toMatch(says);
        expect(`${message}\n${hint}`).not.toContain('guessed');
      } finally {
        await client.close();
      }
    });

    it('who is known, for as long as a run lasts', async () => {
      const client = connect(server);
      const content = new Content();
      const root = content.image();
      try {
        const app = client.repository('long');
        await push(app, content, root, 'v1');
        // nginx ends a connection after 20 requests.
        for (let count = 0; count < 60; count++) expect((await app.find('v1'))?.digest).toBe(root.digest);
        for (const part of content.descriptors) expect((await pull(app, part)).equals(content.bytes(part))).toBe(true);
      } finally {
        await client.close();
      }
    });
  });
});
