import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ocl, oclDone } from '../support/cli.ts';
import { rawTar } from '../support/tarCases.ts';
import { FORMS, type Form } from './forms.ts';
import { checked, listed, referrersOf, skopeo, skopeoDigest, workspace } from './support.ts';

const path = workspace();

interface Place {
  readonly form: Form;
  readonly tool: string;
  readonly as: 'a file' | 'a directory';
  readonly file: string;
  /** What stands before a name. */
  readonly scheme: string;
}

const PLACES: readonly Place[] = FORMS.flatMap((form): readonly Place[] => {
  const { tool, id, kind } = form;
  const scheme = kind === 'docker' ? 'docker-archive:' : 'oci-archive:';
  const asFile = { form, tool, as: 'a file', file: path('files', `${id}.tar`), scheme } as const;
  if (kind === 'docker') return [asFile];
  return [asFile, { form, tool, as: 'a directory', file: path('directories', id), scheme: 'oci:' }];
});

beforeAll(async () => {
  await mkdir(path('files'));
  for (const { form, as, file } of PLACES) {
    if (as === 'a file') {
      await writeFile(file, rawTar(form.entries));
      continue;
    }
    for (const { name, body, type } of form.entries) {
      const target = join(file, name);
      await mkdir(type === '5' ? target : dirname(target), { recursive: true });
      if (type !== '5') await writeFile(target, body ?? '');
    }
  }
});

/** `FILE:name` or `FILE@digest`. */
const within = (name: string): string => (name.startsWith('@') ? name : `:${name}`);

describe.each(PLACES)('$tool, as $as', ({ form, file, scheme, as }) => {
  it('is listed', async () => {
    expect(await listed(file, '--all')).toEqual(form.listed);
  });

  it('is whole', async () => {
    const { damaged, findings } = await checked(file);
    expect(damaged).toBe(false);
    const allowed = form.findings ?? [];
    expect(findings.filter(({ kind }) => !allowed.includes(kind))).toEqual([]);
  });

  it('is copied, and what refers to it as well', async () => {
    for (const [i, [name, digest]] of form.copies.entries()) {
      const target = path('copied', `${form.id}-${as.replaceAll(' ', '-')}-${i}`);
      const { stdout } = await oclDone(['copy', `${scheme}${file}${within(name)}`, `ocidir://${target}:copied`]);
      expect(stdout.trim()).toBe(digest);
      if (i > 0) continue;
      expect((await checked(target)).damaged).toBe(false);
      if (!skopeo.missing) expect(skopeoDigest(`oci:${target}:copied`)).toBe(digest);
      for (const [subject, digests] of form.referrers ?? [])
        expect(await referrersOf(`ocidir://${target}@${subject}`)).toEqual(digests);
    }
  });
});

describe.each(PLACES.filter(({ form }) => form.referrers !== undefined))(
  '$tool, as $as, with referrers',
  ({ form, file, scheme }) => {
    it('tells what refers to what', async () => {
      for (const [subject, digests] of form.referrers ?? [])
        expect(await referrersOf(`${scheme}${file}@${subject}`)).toEqual(digests);
    });
  },
);

it('a directory without oci-layout, as crane reads it, is refused with its reason', async () => {
  const [nameless] = PLACES.filter(({ form, as }) => form.id === 'crane-layout' && as === 'a directory');
  const bare = path('bare');
  await mkdir(bare);
  const index = nameless?.form.entries.find(({ name }) => name === 'index.json');
  await writeFile(join(bare, 'index.json'), index?.body ?? '');
  const { status, stderr } = await ocl(['inspect', `oci:${bare}`]);
  expect(status).not.toBe(0);
  expect(stderr).toContain('oci-layout');
});
