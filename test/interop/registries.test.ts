import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SERVERS, type Server } from '../support/servers.ts';
import { connect, type Client } from './registriesClient.ts';
import { FEATURES } from './registriesFeatures.ts';
import { readTable, writeTable } from './registriesTable.ts';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'registries.md');
/** Puts what was found into the page instead of holding it against what stands there. */
const WRITES = process.env['OCL_WRITE_REGISTRIES'] !== undefined;

const known = readTable(readFileSync(PAGE, 'utf8'));
const found = new Map<string, Map<string, string>>();

it('docs/registries.md has each server and each feature', () => {
  expect([...known.keys()]).toEqual(SERVERS.map(({ name }) => name));
  for (const column of known.values()) expect([...column.keys()]).toEqual(FEATURES.map(({ name }) => name));
});

describe.each(SERVERS)('$name', ({ name, why, start }) => {
  describe.skipIf(why !== undefined)(`runs${why === undefined ? '' : ` (${why})`}`, () => {
    const clients: Client[] = [];
    let server: Server;
    beforeAll(async () => {
      server = await start();
      found.set(name, new Map());
    });
    afterAll(async () => {
      for (const client of clients) await client.close();
      await server.stop();
    });

    it.each(FEATURES)('$name', async ({ name: feature, run }) => {
      const answer = await run({
        place: server,
        connect(options) {
          const client = connect(server, options);
          clients.push(client);
          return client;
        },
      });
      found.get(name)?.set(feature, answer);
      expect(answer).toBe(WRITES ? answer : known.get(name)?.get(feature));
    });
  });
});

afterAll(() => {
  if (!WRITES) return;
  const page = readFileSync(PAGE, 'utf8');
  const columns = new Map([...known, ...found]);
  const order = { servers: SERVERS.map(({ name }) => name), features: FEATURES.map(({ name }) => name) };
  writeFileSync(PAGE, writeTable(page, columns, order));
});
