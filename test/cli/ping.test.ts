import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { parseRegistryPlace } from '../../src/cli/registryPlace.ts';
import { stepLines, verdict } from '../../src/cli/render/steps.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { type Step } from '../../src/stores/registry/diagnose/step.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { Pusher, startEmbedded } from '../support/embedded.ts';
import { reply, startScriptedServer } from '../support/scriptedServer.ts';

const failing: Step = {
  step: 'tcp',
  ok: false,
  ms: 12,
  says: 'nothing listens\u001B[2J',
  hint: 'ocl ping HOST:PORT',
  facts: {},
  details: ['10.0.0.1  refused'],
};

describe('what is asked', () => {
  const app = { repository: 'team/app', name: '1.0' };
  it.each([
    ['registry.example', 'registry.example', undefined],
    ['registry.example:5000', 'registry.example:5000', undefined],
    ['registry:5000', 'registry:5000', undefined],
    ['registry/', 'registry', undefined],
    ['https://registry.example/v2/', 'registry.example', undefined],
    ['docker://registry.example', 'registry.example', undefined],
    ['localhost', 'localhost', undefined],
    ['[::1]:5000', '[::1]:5000', undefined],
    ['[2001:db8::1]', '[2001:db8::1]', undefined],
    ['registry-1.docker.io', 'docker.io', undefined],
    ['alpine', 'docker.io', { repository: 'library/alpine', name: 'latest' }],
    ['alpine:3.20', 'docker.io', { repository: 'library/alpine', name: '3.20' }],
    ['registry.example:5000/team/app:1.0', 'registry.example:5000', app],
    ['docker://registry.example/team/app:1.0', 'registry.example', app],
  ])('%s', (text, registry, image) => expect(parseRegistryPlace(text)).toEqual({ registry, image }));

  it.each(['./dir', 'oci:dir', 'http://registry.example', ''])('%j is no registry', (text) => {
    expect(() => parseRegistryPlace(text)).toThrow(/^Cannot /);
  });
});

describe('what is shown', () => {
  it('is one line for a step, with what else there is below it', () => {
    expect(stepLines(failing, false)).toBe(
      'FAILED  tcp          nothing listens\\u{1b}[2J  (12 ms)\n                     10.0.0.1  refused',
    );
    expect(stepLines(failing, true).startsWith('\u001B[31mFAILED\u001B[0m  tcp')).toBe(true);
    expect(stepLines({ ...failing, ok: true }, true)).toContain('\u001B[32mok    \u001B[0m');
  });

  it('ends with what is wrong, and what to type', () => {
    expect(verdict('a.example', failing)).toBe(
      'a.example does not work: nothing listens\\u{1b}[2J. Next: ocl ping HOST:PORT',
    );
    expect(verdict('a.example', { ...failing, ok: true })).toBe('a.example works');
  });
});

describe('ocl ping', () => {
  it('of a registry that works ends well, without colours in a pipe', async () => {
    const registry = await startEmbedded(createMemoryLibrary());
    try {
      await new Pusher(registry.url, 'app').manifest('1');
      const { stdout, stderr } = await oclDone(['ping', `${registry.host}/app:1`, '--push']);
      expect(stdout.trimEnd().split('\n').at(-1)).toBe(`${registry.host}/app:1 works`);
      expect(stdout).toMatch(/^ok {6}push +127/m);
      expect(stdout).not.toContain('\u001B');
      expect(stderr).toBe('');
    } finally {
      await registry.close();
    }
  });

  it('ends with 1 at the first step that fails, and says what to do', async () => {
    const { status, stdout } = await ocl(['ping', 'nowhere.invalid']);
    expect(status).toBe(EXIT.failed);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.startsWith('FAILED'))).toEqual([expect.stringMatching(/^FAILED {2}dns /)]);
    expect(lines.at(-1)).toMatch(/^nowhere\.invalid does not work: .*the name is not known here\. Next: /);
  });

  it('gives one object with --json, whatever comes of it', async () => {
    const server = await startScriptedServer({ 'GET /v2/': reply(401, { 'www-authenticate': 'Basic realm="r"' }) });
    try {
      const { status, stdout } = await ocl(['ping', server.host, '--json']);
      expect(status).toBe(EXIT.failed);
      const [answer, ...rest] = jsonLines<{ steps: { step: string }[] }>(stdout);
      expect(rest).toEqual([]);
      expect(answer).toMatchObject({ host: server.host, ok: false });
      expect(answer?.steps.at(-1)).toMatchObject({ step: 'credentials', ok: false, hint: `ocl login ${server.host}` });
      expect(answer?.steps[0]).toMatchObject({ step: 'settings', ok: true, scheme: 'http', hint: null });
      for (const step of answer?.steps ?? [])
        expect(step).toMatchObject({ ms: expect.any(Number), says: expect.any(String) });
    } finally {
      await server.close();
    }
  });

  it('names the variable that a proxy came from, and hides its password', async () => {
    const { status, stdout } = await ocl(['ping', 'registry.test'], {
      env: { ALL_PROXY: 'http://anna:hunter2@127.0.0.1:1' },
    });
    expect(status).toBe(EXIT.failed);
    expect(stdout).toContain('http://***@127.0.0.1:1, from ALL_PROXY');
    expect(stdout).not.toContain('hunter2');
  });

  it.each([
    ['a push to no repository', ['registry.example', '--push']],
    ['no time at all', ['registry.example', '--timeout', '0']],
    ['a time that is none', ['registry.example', '--timeout', 'soon']],
  ])('with %s is wrong usage', async (_, args) => {
    const { status, stderr } = await ocl(['ping', ...args]);
    expect([status, stderr]).toEqual([EXIT.usage, expect.stringMatching(/^error: Cannot .*\nhint: {2}/)]);
  });
});
