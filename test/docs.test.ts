import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the documentation', () => {
  it('is what the program says of its commands and errors', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/docs.mjs', '--check'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  const pages = ['README.md', 'CHANGELOG.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter(
    (name) => name.endsWith('.md'),
  );

  it.each(pages)('%s links to files that are there', (page) => {
    const text = readFileSync(join(root, page), 'utf8');
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, link]) => link ?? '');
    const missing = links.filter((link) => !/^[a-z]+:/.test(link) && !existsSync(resolve(root, dirname(page), link)));
    expect(missing).toEqual([]);
  });
});

describe('the library', () => {
  it('opens from the package with its names and types', () => {
    const program = "import('ocl').then((ocl) => console.log(JSON.stringify(Object.keys(ocl).sort())))";
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { cwd: root, encoding: 'utf8' });
    expect(stderr).toBe('');
    const names = JSON.parse(stdout) as string[];
    expect(names).toEqual(
      expect.arrayContaining([
        'Copier',
        'OclError',
        'checkStore',
        'createRegistries',
        'createStores',
        'parseReference',
        'runSync',
      ]),
    );
    const types = readFileSync(join(root, 'dist/index.d.ts'), 'utf8');
    for (const name of names) expect(types).toContain(name);
  });
});
