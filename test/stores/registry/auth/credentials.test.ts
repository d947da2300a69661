import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OclEvent } from '../../../../src/core/events.ts';
import { createHelpers, type Helpers } from '../../../../src/stores/registry/auth/credentialHelper.ts';
import { createCredentials, type Credential } from '../../../../src/stores/registry/auth/credentials.ts';
import { OclError } from '../../../../src/core/errors.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ocl-credentials-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function file(name: string, value: unknown): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
}

const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString('base64') });
const who = (credential: Credential | undefined): unknown =>
  credential?.kind === 'password' ? `${credential.username}:${credential.password}` : credential;

describe("docker's config.json", () => {
  it('has logins in several forms', async () => {
    const path = await file('config.json', {
      auths: {
        'a.example': auth('me:pass:with:colons'),
        'b.example': { username: 'me', password: 'plain' },
        'c.example': { ...auth('<token>:'), identitytoken: 'refresh' },
        'd.example': { registrytoken: 'bearer' },
        'e.example': {},
        'f.example:5000': auth('port:x'),
        'https://g.example/v1/': auth('schemed:x'),
        'H.Example': auth('case:x'),
        'https://index.docker.io/v1/': auth('hub:x'),
      },
    });
    const credentials = createCredentials({ files: [join(directory, 'not-there.json'), path] });
    const find = async (host: string): Promise<unknown> => who(await credentials.find(host, 'app'));
    expect(await find('a.example')).toBe('me:pass:with:colons');
    expect(await find('b.example')).toBe('me:plain');
    expect(await find('c.example')).toMatchObject({ kind: 'identity', token: 'refresh' });
    expect(await find('d.example')).toEqual({ kind: 'bearer', token: 'bearer' });
    expect(await find('e.example')).toBeUndefined();
    expect(await find('f.example')).toBeUndefined();
    expect(await find('f.example:5000')).toBe('port:x');
    expect(await find('g.example')).toBe('schemed:x');
    expect(await find('h.example')).toBe('case:x');
    expect(await find('docker.io')).toBe('hub:x');
  });

  it.each([
    ['a.example', ['http://a.example', 'https://a.example', 'a.example'], 'a.example'],
    ['a.example', ['http://a.example/v2/', 'https://a.example/v1/'], 'https://a.example/v1/'],
    ['a.example', ['a.example/v2/'], 'a.example/v2/'],
    ['docker.io', ['docker.io', 'https://index.docker.io/v1/', 'index.docker.io'], 'https://index.docker.io/v1/'],
    ['docker.io', ['registry-1.docker.io', 'docker.io'], 'docker.io'],
    ['docker.io', ['https://index.docker.io/v1/access-token', 'https://index.docker.io/v1/refresh-token'], undefined],
    ['docker.io', ['index.docker.io', 'https://index.docker.io/v1/access-token'], 'index.docker.io'],
  ])('has %s below the most exact of %j', async (host, keys, wanted) => {
    const entries = keys.map((key) => [key, { username: key, password: 'x' }]);
    const path = await file('config.json', { auths: Object.fromEntries(entries) as unknown });
    const found = await createCredentials({ files: [path] }).find(host, 'app');
    expect(found?.kind === 'password' ? found.username : undefined).toBe(wanted);
  });

  it.each([
    ['', undefined],
    ['\n', undefined],
    ['{"auths": {"a.example": {}}, "credHelpers": null}', undefined],
    ['{"auths": {"a.example": {"auth": ""}}}', undefined],
    ['{"auths": {"a.example": "text"}}', undefined],
    ['{"auths": {"a.example": {"auth": "bWU6cHcAAAA="}}}', 'me:pw'],
  ])('%j is read as docker does', async (text, wanted) => {
    const path = await file('config.json', text);
    expect(who(await createCredentials({ files: [path] }).find('a.example', 'app'))).toBe(wanted);
  });

  it.each([
    ['{"auths":\n  {"a": s3cret}}', /not valid JSON/],
    ['{"auths": {"a": "s3cret"', /ends too early/],
    ['{"auths": {"s3cret": {}, "s3cret": {}}}', /stands twice/],
    ['\uFEFF{"s3cret": 1}', /byte order mark/],
    [`${'{"s3cret":'.repeat(200)}1${'}'.repeat(200)}`, /nested too deep/],
  ])('says why it is broken: %s', async (text, why) => {
    const path = await file('config.json', text);
    const error = await createCredentials({ files: [path] })
      .find('a.example', 'app')
      .catch((caught: unknown) => String(caught));
    expect(error).toMatch(why);
    expect(error).toContain(path);
    expect(error).not.toContain('s3cret');
  });

  it('is never matched by a part of a name', async () => {
    const path = await file('config.json', {
      auths: {
        'example.com': auth('a:b'),
        'registry.example.com.evil.test': auth('c:d'),
        'registry.example.com:5000': auth('e:f'),
      },
    });
    const credentials = createCredentials({ files: [path] });
    for (const host of [
      'registry.example.com',
      'example.com.evil.test',
      'xexample.com',
      'example.co',
      'com',
      'constructor',
      '__proto__',
    ]) {
      expect(await credentials.find(host, 'app')).toBeUndefined();
    }
  });

  it('of containers has parts of registries, the longest wins', async () => {
    const path = await file('auth.json', {
      auths: {
        'a.example/team/app': auth('app:x'),
        'a.example/team': auth('team:x'),
        'a.example': auth('all:x'),
        'b.example/only': auth('only:x'),
        'docker.io/me': auth('mine:x'),
      },
    });
    const credentials = createCredentials({ files: [path] });
    const find = async (host: string, repository?: string): Promise<unknown> =>
      who(await credentials.find(host, repository));
    expect(await find('a.example', 'team/app')).toBe('app:x');
    expect(await find('a.example', 'team/app/sub')).toBe('app:x');
    expect(await find('a.example', 'team/application')).toBe('team:x');
    expect(await find('a.example', 'teams')).toBe('all:x');
    expect(await find('a.example')).toBe('all:x');
    expect(await find('b.example', 'other')).toBeUndefined();
    expect(await find('docker.io', 'me/app')).toBe('mine:x');
  });

  it('comes after what was handed in, and the first file before the second', async () => {
    const first = await file('1.json', { auths: { 'a.example': auth('first:x') } });
    const second = await file('2.json', { auths: { 'a.example': auth('second:x'), 'b.example': auth('second:x') } });
    const credentials = createCredentials({
      files: [first, second],
      explicit: [
        { registry: 'c.example', credential: { kind: 'password', username: 'given', password: 'x' } },
        { registry: 'B.example', credential: { kind: 'bearer', token: 't' } },
      ],
    });
    expect(who(await credentials.find('a.example', 'x'))).toBe('first:x');
    expect(await credentials.find('b.example', 'x')).toEqual({ kind: 'bearer', token: 't' });
    expect(who(await credentials.find('c.example', 'x'))).toBe('given:x');
  });

  it('is read anew, so that a login counts at once', async () => {
    const path = await file('config.json', {});
    const credentials = createCredentials({ files: [path] });
    expect(await credentials.find('a.example', 'x')).toBeUndefined();
    await file('config.json', { auths: { 'a.example': auth('new:x') } });
    expect(who(await credentials.find('a.example', 'x'))).toBe('new:x');
  });

  it.each([
    ['no JSON', '{"auths": {"a.example": {"auth": "c2VjcmV0'],
    ['no object', '[]'],
    ['wrong auths', '{"auths": "secret"}'],
    ['an auth that is none', '{"auths": {"a.example": {"auth": "c2VjcmV0"}}}'],
  ])('that is broken (%s) is told without its secrets', async (_name, text) => {
    const credentials = createCredentials({ files: [await file('config.json', text)] });
    const error = await credentials.find('a.example', 'x').catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'OCL_CONFIG_INVALID' });
    expect(String(error)).not.toMatch(/secret|c2VjcmV0/);
  });

  it('that cannot be read is an error', async () => {
    await expect(createCredentials({ files: [directory] }).find('a.example', 'x')).rejects.toMatchObject({
      code: 'OCL_CONFIG_INVALID',
    });
  });
});

describe('helpers', () => {
  const asked: string[] = [];
  const askHelper = (name: string, server: string): Promise<Credential | undefined> => {
    asked.push(`${name} ${server}`);
    if (name === 'absent') return Promise.reject(new OclError('OCL_NOT_FOUND', 'Cannot get x: it is not installed'));
    return Promise.resolve(name === 'empty' ? undefined : { kind: 'password', username: name, password: 'x' });
  };
  beforeEach(() => void asked.splice(0));

  it('of a host come before the store, and the store before the file', async () => {
    const path = await file('config.json', {
      credsStore: 'store',
      credHelpers: { 'a.example': 'own' },
      auths: { 'a.example': auth('file:x'), 'b.example': auth('file:x') },
    });
    const credentials = createCredentials({ files: [path], askHelper });
    expect(who(await credentials.find('a.example', 'x'))).toBe('own:x');
    expect(who(await credentials.find('b.example', 'x'))).toBe('store:x');
    await credentials.find('docker.io', 'x');
    expect(asked).toEqual(['own a.example', 'store b.example', 'store https://index.docker.io/v1/']);
  });

  it('that know nothing leave it to the file', async () => {
    const path = await file('config.json', { credsStore: 'empty', auths: { 'a.example': auth('file:x') } });
    expect(who(await createCredentials({ files: [path], askHelper }).find('a.example', 'x'))).toBe('file:x');
  });

  it('that are not installed are missed once, as a store; for a host of their own they are an error', async () => {
    const events: OclEvent[] = [];
    const path = await file('config.json', { credsStore: 'absent', credHelpers: { 'b.example': 'absent' } });
    const credentials = createCredentials({ files: [path], askHelper, emit: (event) => events.push(event) });
    expect(await credentials.find('a.example', 'x')).toBeUndefined();
    expect(await credentials.find('a.example', 'x')).toBeUndefined();
    expect(events).toHaveLength(1);
    await expect(credentials.find('b.example', 'x')).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
  });

  it('may be handed in for a host', async () => {
    const credentials = createCredentials({
      files: [],
      explicit: [{ registry: 'a.example', credential: { kind: 'helper', helper: 'given' } }],
      askHelper,
    });
    expect(who(await credentials.find('a.example', 'x'))).toBe('given:x');
    await expect(
      createCredentials({
        files: [],
        explicit: [{ registry: 'a.example', credential: { kind: 'helper', helper: 'given' } }],
      }).find('a.example', 'x'),
    ).rejects.toMatchObject({ code: 'OCL_UNSUPPORTED' });
  });
});

describe('a helper as a program', () => {
  async function helper(name: string, script: string): Promise<void> {
    const path = await file(`docker-credential-${name}`, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
  }
  const run = (options: { timeout?: number; maxOutput?: number } = {}): Helpers['get'] =>
    createHelpers({ env: { PATH: `${directory}:/usr/bin:/bin` }, ...options }).get;

  it('is asked on its standard input', async () => {
    await helper(
      'echo',
      'read server; printf \'{"ServerURL":"%s","Username":"%s","Secret":"s"}\' "$server" "$1-$server"',
    );
    expect(await run()('echo', 'a.example')).toEqual({ kind: 'password', username: 'get-a.example', password: 's' });
    expect(await run()('docker-credential-echo', 'b.example')).toMatchObject({ username: 'get-b.example' });
  });

  it('may have an identity token, or nothing', async () => {
    await helper('token', 'echo \'{"Username":"<token>","Secret":"refresh"}\'');
    await helper('none', 'echo "credentials not found in native keychain"; exit 1');
    await helper('blank', 'echo \'{"Username":"","Secret":""}\'');
    expect(await run()('token', 'a')).toEqual({ kind: 'identity', token: 'refresh' });
    expect(await run()('none', 'a')).toBeUndefined();
    expect(await run()('blank', 'a')).toBeUndefined();
  });

  it.each([
    ['fails', 'echo boom secret; exit 3', /status 3/],
    ['says nonsense', 'echo secret', /not JSON/],
    ['says too little', 'echo \'{"Secret":"secret"}\'', /no Username/],
    ['says no object', 'echo \'"secret"\'', /not a JSON object/],
    ['never ends', 'sleep 60', /within 0.3 s/],
    ['leaves a child behind', 'sleep 60 & sleep 60', /within 0.3 s/],
    [
      'writes without end',
      'while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done',
      /more than 2000 bytes/,
    ],
  ])('that %s is an error without secrets', async (_name, script, message) => {
    await helper('bad', script);
    const error = (await run({ timeout: script.includes('sleep') ? 300 : 20_000, maxOutput: 2000 })('bad', 'a').catch(
      (caught: unknown) => caught,
    )) as Error;
    expect(error).toMatchObject({ code: 'OCL_UNAUTHORIZED', message: expect.stringMatching(message) });
    expect(error.message).not.toContain('secret');
  });

  it.each(['../evil', 'a/b', 'a b', '', '; rm -rf'])('%j is no name of one', async (name) => {
    await expect(run()(name, 'a')).rejects.toThrow(/no name of a program|not installed/);
  });

  it('that is not installed is told apart', async () => {
    await expect(run()('absent', 'a')).rejects.toMatchObject({
      code: 'OCL_NOT_FOUND',
      hint: expect.stringMatching(/^put docker-credential-absent on the PATH/),
    });
  });
});
