import { describe, expect, it } from 'vitest';
import { describeImage, type Listed } from '../../src/artifact/list.ts';
import { withTypes } from '../../src/artifact/types/file.ts';
import { builtInTypes, TypeTable } from '../../src/artifact/types/table.ts';
import { catalogPage } from '../../src/cli/render/catalogPage.ts';
import { createHash } from 'node:crypto';
import { thing, type ThingSpec } from './thing.ts';
import { EMPTY, TAR } from './typeRows.ts';

const ICON = `data:image/svg+xml;base64,${Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>').toString('base64')}`;
const types = new TypeTable(
  withTypes(
    builtInTypes(),
    `types: [{id: acme, name: '<b>Acme</b>', category: other, icon: '${ICON}', scan: skip, match: [{artifactType: [x/acme]}], actions: [{label: '<i>', command: 'acme {{tag}} && {{layout}}'}]}]`.replace(
      '&& {{layout}}',
      '--in {{layout}}',
    ),
    'mine',
  ),
);
const NASTY = `"><script>alert(1)</script><img src=x onerror='alert(2)'>`;

async function listed(spec: ThingSpec, reference: string, values = {}): Promise<Listed> {
  const { store, descriptor } = thing(spec);
  return await describeImage(store, reference, descriptor, { types, values });
}

function page(rows: readonly Listed[], place = 'x'): string {
  return catalogPage(rows, { place, types, now: 0 });
}

describe('a page', () => {
  it('escapes all that comes from elsewhere', async () => {
    const row = await listed(
      {
        artifactType: 'x/acme',
        config: EMPTY,
        layers: [TAR],
        annotations: {
          'org.opencontainers.image.created': NASTY,
          'org.opencontainers.image.url': `https://x/${NASTY}`,
        },
      },
      NASTY,
      { tag: NASTY, layout: `/srv/${NASTY}` },
    );
    const html = page([row, { ...row, artifact: undefined, kind: NASTY, platforms: [NASTY], problem: NASTY }], NASTY);
    const inside = html.replace(/<style>.*?<\/style>/s, '').replace(/<script>\(\(\)=>.*?<\/script>/s, '');
    expect(inside).not.toMatch(/<script|<b>Acme|<i>|onerror='|<img src=x/);
    expect(inside).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    // Every tag is one that the page itself has, with attributes between quotes.
    const TAG = /<\/?[a-z][a-z0-9]*(?: [a-zA-Z-]+(?:="[^"<>]*")?)*\/?>|<!doctype html>/g;
    expect(inside.replaceAll(TAG, '')).not.toMatch(/[<>]/);
  });

  it.each([
    ['https://a.example/x?y=1&z', true],
    ['HTTP://a.example', true],
    ['javascript:alert(1)', false],
    ['data:text/html,x', false],
    ['file:///etc/passwd', false],
    ['//a.example', false],
    ['https://user:secret@a.example', false],
    ['https://a.example/\u202Egnp.exe', false],
    ['https://', false],
    [`https://a.example/${'x'.repeat(2000)}`, false],
  ])('links to %s: %s', async (url, does) => {
    const row = await listed({ annotations: { 'org.opencontainers.image.url': url }, layers: [TAR] }, 'a:1');
    expect((row.links ?? []).length).toBe(does ? 1 : 0);
    expect(page([row]).includes('<a href=')).toBe(does);
  });

  it('needs nothing from anywhere, and lets in no script but its own', async () => {
    const html = page([await listed({ layers: [TAR] }, 'a:1')]);
    expect(html).not.toMatch(/(?:src|href)="(?!#i-|data:)/);
    const [, policy = ''] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html) ?? [];
    expect(policy).toContain("default-src 'none'");
    for (const [name, tag] of [
      ['style', 'style'],
      ['script', 'script'],
    ] as const) {
      const [, content = ''] = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(html) ?? [];
      expect(policy).toContain(`${name}-src 'sha256-${createHash('sha256').update(content).digest('base64')}'`);
    }
  });

  it('says all without a script: type, evidence, name, platforms, size and commands', async () => {
    const image: ThingSpec = { content: { os: 'linux', architecture: 'arm64' }, layers: [TAR] };
    const html = page([await listed(image, 'app:1', { ref: 'r.example/app:1' })]);
    for (const text of ['Container image', 'app:1', 'linux/arm64', 'podman run --rm -it r.example/app:1', '#i-image'])
      expect(html).toContain(text);
    expect(html).toContain('<symbol id="i-image"');
  });

  it('shows the image of a type of a user as an image', async () => {
    const html = page([await listed({ artifactType: 'x/acme', config: EMPTY }, 'a:1')]);
    expect(html).toContain(`<img class="icon" alt="" src="${ICON}">`);
  });

  it('of nothing is a page, too', () => {
    expect(page([])).toContain('0 names');
  });
});
