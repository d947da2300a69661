import { expect, it } from 'vitest';
import { envOptions } from '../../src/cli/sync/hosts.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { surroundings } from '../support/surroundings.ts';

it('the hosts that a registry may send uploads on to are those of its last entry that names any', () => {
  const entries = ['uploadHosts: [a.test]', 'uploadHosts: [b.test, "c.test:9000"]', 'uploadHosts: []'];
  const creds = entries.map((entry) => `{registry: r.test, ${entry}}`).join(', ');
  const { config } = loadConfig(`creds: [${creds}, {registry: s.test}]`, 'f', surroundings());
  const { hosts } = envOptions(config);
  expect(hosts?.get('r.test')?.uploadHosts).toEqual(['b.test', 'c.test:9000']);
  expect(hosts?.get('s.test')?.uploadHosts).toBeUndefined();
});
