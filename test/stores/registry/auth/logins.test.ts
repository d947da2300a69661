import { lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { silent } from '../../../../src/core/events.ts';
import { changeCredentialFile } from '../../../../src/stores/registry/auth/credentialFile.ts';
import { type Helpers } from '../../../../src/stores/registry/auth/credentialHelper.ts';
import { credentialSources } from '../../../../src/stores/registry/auth/credentialSources.ts';
import { createCredentials } from '../../../../src/stores/registry/auth/credentials.ts';
import { rememberHelper } from '../../../../src/stores/registry/auth/helperCache.ts';
import { removeMember, setMember } from '../../../../src/stores/registry/auth/jsonEdit.ts';
import {
  eraseLogins,
  knownScopes,
  parseLoginScope,
  storeLogin,
} from '../../../../src/stores/registry/auth/loginStore.ts';
import { type Credential } from '../../../../src/stores/registry/auth/credentials.ts';
import { OclError } from '../../../../src/core/errors.ts';
import { fakeClock } from '../../../support/fakeClock.ts';
import { temporaryDirectories } from '../../../support/layouts.ts';

const temporary = temporaryDirectories();
const lock = { clock: fakeClock(), emit: silent };
const me = { kind: 'password', username: 'me', password: 'pass:wörd' } as const;

/** Helpers that keep logins in memory, as `docker-credential-*` do in a keychain. */
function memoryHelpers(): Helpers & { readonly kept: Map<string, Credential> } {
  const kept = new Map<string, Credential>();
  const installed = (name: string): void => {
    if (name === 'absent') throw new OclError('OCL_NOT_FOUND', `Cannot run ${name}: it is not installed`);
  };
  return {
    kept,
    get: async (name, server) => (installed(name), kept.get(`${name} ${server}`)),
    store: async (name, server, credential) => (installed(name), void kept.set(`${name} ${server}`, credential)),
    erase: async (name, server) => {
      if (name === 'readonly') throw new OclError('OCL_UNAUTHORIZED', 'Cannot take it away: not implemented');
      kept.delete(`${name} ${server}`);
    },
    list: async (name) => {
      installed(name);
      const servers = [...kept.keys()]
        .filter((key) => key.startsWith(`${name} `))
        .map((key) => key.split(' ')[1] ?? '');
      return new Map(servers.map((server) => [server, 'me']));
    },
  };
}

describe('a change of a JSON text leaves all else as it was', () => {
  const entry = { auth: 'x' };
  it.each([
    ['{}', '{\n\t"auths": {\n\t\t"h": {\n\t\t\t"auth": "x"\n\t\t}\n\t}\n}'],
    ['{"a":1}', '{"a":1,"auths":{"h":{"auth":"x"}}}'],
    ['{"auths":{}}', '{"auths":{"h":{"auth":"x"}}}'],
    ['{"auths":null,"b":2}', '{"auths":{"h":{"auth":"x"}},"b":2}'],
    ['{"auths":{"h":{"auth":"old","email":"e"}}}', '{"auths":{"h":{"auth":"x"}}}'],
    ['{"auths":{"\\u0068":1}}', '{"auths":{"\\u0068":{"auth":"x"}}}'],
    [
      '{\n  "big": 12345678901234567890.10,\n  "auths": {\n    "g": {}\n  },\n  "z": "}{\\""\n}\n',
      '{\n  "big": 12345678901234567890.10,\n  "auths": {\n    "g": {},\n    "h": {\n      "auth": "x"\n    }\n  },\n  "z": "}{\\""\n}\n',
    ],
  ])('%j', (before, after) => {
    expect(setMember(before, ['auths', 'h'], entry)).toBe(after);
    expect(JSON.parse(setMember(before, ['auths', 'h'], entry))).toMatchObject({ auths: { h: entry } });
  });

  it.each([
    ['{"auths":{"h":1}}', '{"auths":{}}'],
    ['{"auths":{"h":{"x":[1,{"h":2}]},"i":2}}', '{"auths":{"i":2}}'],
    ['{"auths":{"g":1e400,"h":"a,b}"},"z":0}', '{"auths":{"g":1e400},"z":0}'],
    ['{"auths":{"g":1 , "h": [ ] , "i":2}}', '{"auths":{"g":1 , "i":2}}'],
    ['{"auths":{"g":1}}', '{"auths":{"g":1}}'],
    ['{"auths":"h"}', '{"auths":"h"}'],
    ['{}', '{}'],
  ])('%j without h', (before, after) => expect(removeMember(before, ['auths', 'h'])).toBe(after));
});

describe('a file of logins', () => {
  it('is made for its owner alone, with its directory', async () => {
    const root = await temporary();
    const file = join(root, 'new', 'deep', 'config.json');
    await storeLogin(file, parseLoginScope('a.example'), me, { ...lock, helpers: memoryHelpers() });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(root, 'new'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(root, 'new', 'deep'))).toEqual(['config.json']);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      auths: { 'a.example': { auth: Buffer.from('me:pass:wörd').toString('base64') } },
    });
    expect(await createCredentials({ files: [file] }).find('a.example', 'x')).toEqual(me);
  });

  it('that others may read is closed, and a link to it stays a link', async () => {
    const root = await temporary();
    await mkdir(join(root, 'real'));
    const target = join(root, 'real', 'config.json');
    await writeFile(target, '{"HttpHeaders": {"X": "1"}}', { mode: 0o644 });
    for (const [name, to] of [
      ['config.json', target],
      ['dangling.json', 'real/made.json'],
    ] as const) {
      const link = join(root, name);
      await symlink(to, link);
      await storeLogin(link, parseLoginScope('a.example'), me, { ...lock, helpers: memoryHelpers() });
      expect((await lstat(link)).isSymbolicLink()).toBe(true);
      expect(await readlink(link)).toBe(to);
      expect((await stat(link)).mode & 0o777).toBe(0o600);
      expect(await createCredentials({ files: [link] }).find('a.example', 'x')).toEqual(me);
    }
    expect(JSON.parse(await readFile(target, 'utf8'))).toMatchObject({ HttpHeaders: { X: '1' } });
    expect((await readdir(join(root, 'real'))).toSorted()).toEqual(['config.json', 'made.json']);
  });

  it('that is broken is left alone', async () => {
    const file = join(await temporary(), 'config.json');
    await writeFile(file, '{"auths": {"a.example": ');
    await expect(
      storeLogin(file, parseLoginScope('a.example'), me, { ...lock, helpers: memoryHelpers() }),
    ).rejects.toMatchObject({ code: 'OCL_CONFIG_INVALID', message: expect.stringContaining('ends too early') });
    await expect(changeCredentialFile(file, lock, () => '{}')).rejects.toMatchObject({ code: 'OCL_CONFIG_INVALID' });
    expect(await readFile(file, 'utf8')).toBe('{"auths": {"a.example": ');
  });

  it('loses no login when several are stored at once, nor keeps what a killed process left', async () => {
    const root = await temporary();
    const file = join(root, 'config.json');
    await writeFile(join(root, `.config.json.1-${'0'.repeat(12)}.tmp`), 'secret');
    await writeFile(join(root, '.config.json.mine.tmp'), 'not ours');
    const hosts = Array.from({ length: 8 }, (_, i) => `h${i}.example`);
    await Promise.all(
      hosts.map((host) => storeLogin(file, parseLoginScope(host), me, { ...lock, helpers: memoryHelpers() })),
    );
    expect(Object.keys((JSON.parse(await readFile(file, 'utf8')) as { auths: object }).auths).toSorted()).toEqual(
      hosts,
    );
    expect((await readdir(root)).toSorted()).toEqual(['.config.json.mine.tmp', 'config.json']);
  });

  it('is not touched when nothing changes', async () => {
    const file = join(await temporary(), 'config.json');
    await writeFile(file, '{}', { mode: 0o640 });
    await changeCredentialFile(file, lock, (text) => text);
    expect((await stat(file)).mode & 0o777).toBe(0o640);
  });

  it.each([
    ['docker.io', undefined, 'https://index.docker.io/v1/'],
    ['https://index.docker.io/v1/', undefined, 'https://index.docker.io/v1/'],
    ['registry-1.docker.io', undefined, 'https://index.docker.io/v1/'],
    ['https://A.example:5000/v2/', undefined, 'a.example:5000'],
    ['a.example/team/app', 'team/app', 'a.example/team/app'],
    ['docker.io/me', 'me', 'docker.io/me'],
  ])('has %s under the key that other tools look for', async (typed, path, key) => {
    const file = join(await temporary(), 'auth.json');
    const scope = parseLoginScope(typed);
    await storeLogin(file, scope, me, { ...lock, helpers: memoryHelpers() });
    expect(Object.keys((JSON.parse(await readFile(file, 'utf8')) as { auths: object }).auths)).toEqual([key]);
    expect(await createCredentials({ files: [file] }).find(scope.registry, path)).toEqual(me);
    expect(await eraseLogins([file], scope, { ...lock, helpers: memoryHelpers() })).toEqual({
      from: [{ kind: 'file', where: file, scope: [scope.registry, path].filter(Boolean).join('/') }],
      failed: [],
    });
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ auths: {} });
  });

  it.each(['', 'a b', 'a.example/Team', 'https://', '../x', 'user:pass@a.example', 'a.example/team:1'])(
    '%j is no registry',
    (text) => expect(() => parseLoginScope(text)).toThrow(expect.objectContaining({ code: 'OCL_USAGE' })),
  );

  it('keeps identity tokens as docker does', async () => {
    const file = join(await temporary(), 'config.json');
    for (const username of ['me', undefined]) {
      const credential = { kind: 'identity', token: 'refresh', username } as const;
      await storeLogin(file, parseLoginScope('a.example'), credential, { ...lock, helpers: memoryHelpers() });
      expect(await createCredentials({ files: [file] }).find('a.example', 'x')).toEqual(credential);
    }
  });
});

describe('a login with helpers', () => {
  it('is kept by that of the host, else by the store, and an old password leaves the file', async () => {
    const file = join(await temporary(), 'config.json');
    const old = { auth: Buffer.from('old:secret').toString('base64') };
    await writeFile(
      file,
      JSON.stringify({ credsStore: 'store', credHelpers: { 'a.example': 'own' }, auths: { 'https://a.example': old } }),
    );
    const helpers = memoryHelpers();
    const options = { ...lock, helpers };
    expect(await storeLogin(file, parseLoginScope('a.example'), me, options)).toEqual({ kind: 'helper', where: 'own' });
    expect(await storeLogin(file, parseLoginScope('docker.io'), me, options)).toMatchObject({ where: 'store' });
    expect([...helpers.kept.keys()]).toEqual(['own a.example', 'store https://index.docker.io/v1/']);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      auths: { 'a.example': {}, 'https://index.docker.io/v1/': {} },
    });
    expect(await readFile(file, 'utf8')).not.toContain(old.auth);
    expect(await knownScopes({ explicit: [], files: [file] }, helpers, silent)).toEqual([
      { registry: 'a.example', path: undefined },
      { registry: 'docker.io', path: undefined },
    ]);
    // For a part of a registry helpers have no name.
    await storeLogin(file, parseLoginScope('a.example/team'), { ...me, username: 'part' }, options);
    const credentials = createCredentials({ files: [file], askHelper: helpers.get });
    expect(await credentials.locate('a.example', 'team/app')).toMatchObject({
      credential: { username: 'part' },
      source: { kind: 'file', where: file },
    });
    expect(await credentials.locate('a.example', 'app')).toMatchObject({
      credential: { username: 'me' },
      source: { kind: 'helper', where: `own (named in ${file})` },
    });

    expect(
      (await eraseLogins([file, file], undefined, options)).from.map(({ where, scope }) => [where, scope]),
    ).toEqual([
      ['own', 'a.example'],
      ['store', 'docker.io'],
      [file, 'a.example/team'],
    ]);
    expect(helpers.kept.size).toBe(0);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ auths: {}, credsStore: 'store' });
  });

  it('that is not installed is told at the login, and passed over at the logout', async () => {
    const file = join(await temporary(), 'config.json');
    const text = JSON.stringify({ credsStore: 'absent', auths: { 'a.example': { username: 'me', password: 'x' } } });
    await writeFile(file, text);
    const options = { ...lock, helpers: memoryHelpers() };
    await expect(storeLogin(file, parseLoginScope('a.example'), me, options)).rejects.toMatchObject({
      code: 'OCL_NOT_FOUND',
    });
    expect(await readFile(file, 'utf8')).toBe(text);
    for (const scope of [parseLoginScope('a.example'), undefined]) {
      await writeFile(file, text);
      const { from, failed } = await eraseLogins([file], scope, options);
      expect([from.map(({ where }) => where), failed]).toEqual([[file], []]);
    }
  });

  it('that cannot forget is told, and the others forget nevertheless', async () => {
    const file = join(await temporary(), 'config.json');
    const helpers = memoryHelpers();
    helpers.kept.set('readonly a.example', me);
    helpers.kept.set('own b.example', me);
    await writeFile(file, JSON.stringify({ credHelpers: { 'a.example': 'readonly', 'b.example': 'own' } }));
    const { from, failed } = await eraseLogins([file], undefined, { ...lock, helpers });
    expect(from).toEqual([{ kind: 'helper', where: 'own', scope: 'b.example' }]);
    expect(failed).toMatchObject([{ code: 'OCL_UNAUTHORIZED' }]);
  });
});

describe('the answer of a helper', () => {
  it('is asked for once by all who want it, and lasts for its time', async () => {
    const clock = fakeClock();
    let runs = 0;
    const { ask } = rememberHelper(async () => (runs++, me), clock);
    expect(await Promise.all([ask('h', 'a'), ask('h', 'a'), ask('h', 'a')])).toEqual([me, me, me]);
    expect(runs).toBe(1);
    await ask('h', 'b');
    await ask('i', 'a');
    expect(runs).toBe(3);
    clock.advance(3_599_999);
    await ask('h', 'a');
    expect(runs).toBe(3);
    clock.advance(1);
    await ask('h', 'a', 1000);
    expect(runs).toBe(4);
    clock.advance(1000);
    await ask('h', 'a', 1000);
    expect(runs).toBe(5);
  });

  it('is asked for again soon after it failed or there was none', async () => {
    const clock = fakeClock();
    const answers = [Promise.reject(new Error('locked')), Promise.resolve(undefined), Promise.resolve(me)];
    const { ask } = rememberHelper(() => answers.shift() ?? Promise.reject(new Error('too often')), clock);
    await expect(ask('h', 'a')).rejects.toThrow('locked');
    clock.advance(4999);
    await expect(ask('h', 'a')).rejects.toThrow('locked');
    clock.advance(1);
    expect(await ask('h', 'a')).toBeUndefined();
    clock.advance(59_999);
    expect(await ask('h', 'a')).toBeUndefined();
    clock.advance(1);
    expect(await ask('h', 'a')).toEqual(me);
  });

  it('that was refused is asked for anew, and not again when it stands', async () => {
    const clock = fakeClock();
    const answers: Credential[] = [me, { ...me }, { ...me, password: 'new' }];
    let runs = 0;
    const { ask, forget } = rememberHelper(async () => answers[runs++], clock);
    const first = await ask('h', 'a');
    forget(first ?? me);
    const second = await ask('h', 'a');
    expect([second, runs]).toEqual([me, 2]);
    forget(first ?? me);
    forget(second ?? me);
    expect(await ask('h', 'a')).toBe(second);
    clock.advance(3_600_000);
    expect(await ask('h', 'a')).toMatchObject({ password: 'new' });
    expect(runs).toBe(3);
  });

  it('is asked for under the name, and kept as long, as the settings of a host say', async () => {
    const asked: unknown[] = [];
    const file = join(await temporary(), 'config.json');
    await writeFile(
      file,
      JSON.stringify({
        credHelpers: { 'kept.example': 'own' },
        auths: { 'file.example': { username: 'f', password: 'x' } },
      }),
    );
    const credentials = createCredentials({
      files: [file],
      explicit: [{ registry: 'a.example', credential: { kind: 'helper', helper: 'given' } }],
      keptAs: new Map([
        ['a.example', { server: 'https://kept.example/x', keep: 5 }],
        ['b.example', { server: 'kept.example' }],
        ['c.example', { server: 'https://file.example/v1/' }],
      ]),
      askHelper: async (...args) => (asked.push(args), me),
    });
    for (const host of ['a.example', 'b.example']) expect(await credentials.find(host, 'app')).toEqual(me);
    expect(await credentials.find('c.example', 'app')).toMatchObject({ username: 'f' });
    expect(asked).toEqual([
      ['given', 'https://kept.example/x', 5],
      ['own', 'kept.example', undefined],
    ]);
  });
});

describe('the sources', () => {
  const home = '/home/me';
  const filesOf = (env: Record<string, string>, uid?: number): unknown => credentialSources({ env, home, uid }).files;

  it('stand in an order', () => {
    expect(filesOf({})).toEqual(['/home/me/.config/containers/auth.json', '/home/me/.docker/config.json']);
    expect(filesOf({}, 7)).toContain('/run/containers/7/auth.json');
    expect(
      filesOf(
        {
          DOCKER_AUTH_CONFIG: '{}',
          REGISTRY_AUTH_FILE: '/r.json',
          DOCKER_CONFIG: '/d',
          XDG_RUNTIME_DIR: '/run/me',
          XDG_CONFIG_HOME: '/c',
        },
        7,
      ),
    ).toEqual([
      { name: 'DOCKER_AUTH_CONFIG', text: '{}' },
      '/r.json',
      '/d/config.json',
      '/run/me/containers/auth.json',
      '/c/containers/auth.json',
    ]);
  });

  it.each([
    [{}, '/home/me/.docker/config.json', false],
    [{ DOCKER_CONFIG: '/d' }, '/d/config.json', false],
    [{ DOCKER_CONFIG: '/d', REGISTRY_AUTH_FILE: '/r.json' }, '/r.json', true],
  ])('of %j take a login to %s', (env, loginFile, takesPaths) => {
    expect(credentialSources({ env, home })).toMatchObject({ loginFile, takesPaths });
  });

  it.each([
    { OCL_USERNAME: 'me' },
    { OCL_PASSWORD: 's3cret' },
    { OCL_REGISTRY: 'a.example' },
    { OCL_USERNAME: 'me', OCL_PASSWORD: 's3cret' },
    { OCL_USERNAME: 'me', OCL_PASSWORD: 's3cret', OCL_REGISTRY: '' },
    { OCL_USERNAME: 'me', OCL_PASSWORD: 's3cret', OCL_REGISTRY: 'a b' },
    { OCL_USERNAME: 'me', OCL_PASSWORD: 's3cret', OCL_REGISTRY: '*' },
  ])('refuse a login for no host in particular: %j', (env) => {
    const act = (): unknown => credentialSources({ env, home });
    expect(act).toThrow(expect.objectContaining({ code: 'OCL_CONFIG_INVALID' }));
    expect(act).not.toThrow(/s3cret/);
  });

  it('of the environment come first, for their host alone', async () => {
    const { explicit, files } = credentialSources({
      env: {
        OCL_REGISTRY: 'https://A.example',
        OCL_USERNAME: 'me',
        OCL_PASSWORD: 'x',
        DOCKER_AUTH_CONFIG: JSON.stringify({
          auths: { 'a.example': { username: 'd', password: 'x' }, 'b.example': { username: 'd', password: 'x' } },
        }),
      },
      home,
    });
    const credentials = createCredentials({ files, explicit });
    expect(await credentials.locate('a.example', 'x')).toMatchObject({
      credential: { username: 'me' },
      source: { kind: 'environment', where: 'OCL_USERNAME' },
    });
    expect(await credentials.locate('b.example', 'x')).toMatchObject({
      credential: { username: 'd' },
      source: { kind: 'environment', where: 'DOCKER_AUTH_CONFIG' },
    });
    expect(await credentials.find('a.example.evil.test', 'x')).toBeUndefined();
  });

  it('in the environment that are broken are told without their content', async () => {
    const { files } = credentialSources({ env: { DOCKER_AUTH_CONFIG: '{"auths": s3cret' }, home });
    const error = await createCredentials({ files })
      .find('a.example', 'x')
      .catch((caught: unknown) => String(caught));
    expect(error).toMatch(/DOCKER_AUTH_CONFIG/);
    expect(error).not.toMatch(/s3cret/);
  });
});
