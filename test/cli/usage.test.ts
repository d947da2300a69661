import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { usageError } from '../../src/cli/usage.ts';
import { ocl } from '../support/cli.ts';

describe('a wrong command line is answered in plain words', () => {
  it.each([
    ['ls', 'Cannot run ocl ls: it needs <place>', 'ocl ls --help'],
    ['copy a', 'Cannot run ocl copy: it needs <target>', 'ocl copy --help'],
    ['tag', 'Cannot run ocl tag: it needs <action> and <reference>', ''],
    ['mesh ls', 'Cannot run ocl mesh ls: it needs <places>', 'ocl mesh ls --help'],
    ['mesh diff a', 'Cannot run ocl mesh diff: it needs <to>', 'ocl mesh diff --help'],
    ['export', 'Cannot run ocl export: it needs --output FILE', ''],
    ['export ./x', 'Cannot run ocl export: it needs --output FILE', ''],
    ['sync', 'Cannot run ocl sync: it needs --config FILE', 'ocl sync --help'],
    ['sync retry', 'Cannot run ocl sync retry: it needs <file>', 'ocl sync retry --help'],
    ['sync -c F retry', 'Cannot run ocl sync retry: it needs <file>', 'ocl sync retry --help'],
    ['sync check', 'Cannot run ocl sync check: it needs --config FILE', 'ocl sync check --help'],
    ['sync check -c F --jsn', 'Cannot run ocl sync check: there is no option --jsn', 'did you mean --json?'],
    ['cnab relocate a', 'Cannot run ocl cnab relocate: it needs <target>', 'ocl cnab relocate --help'],
    ['sync s1.yaml', 'Cannot run ocl sync: it needs --config FILE', 'ocl sync --config s1.yaml'],
    ['sync s1.yml -c x', 'action is "s1.yml", and can be once', 'ocl sync --config s1.yml'],
    ['tag list x', 'Cannot run ocl tag: action is "list", and can be ls, add or rm', ''],
    ['ping a b', 'Cannot run ocl ping: "b" is more than it takes', ''],
    ['ls . --frobnicate', 'Cannot run ocl ls: there is no option --frobnicate', ''],
    ['ls . --jsn', 'Cannot run ocl ls: there is no option --jsn', 'did you mean --json?'],
    ['login x --pasword-stdin', 'there is no option --pasword-stdin', 'did you mean --password-stdin?'],
    ['login x -u me --password=hush', 'there is no option --password [', 'ocl login HOST -u USER --password-stdin'],
    ['login x -u me -pS3CRET', 'there is no option -p [', 'ocl login HOST -u USER --password-stdin'],
    ['ls x --insecure https://', 'Cannot use "https://": it is no HOST[:PORT]', 'name the host as images do'],
    ['tag rm registry.example/app', 'name it after a colon', 'ocl tag rm registry.example/app:TAG'],
    ['sync -c a -c b', '--config is given more than once', 'ocl sync --help'],
    ['sync -c F once -v info', "-v is regsync's", '--quiet'],
    ['sync --verbosity=debug -c F', "--verbosity is regsync's", '--quiet'],
    ['sync once -c F --logopt json', "--logopt is regsync's", '--quiet'],
    ['export x -o --json', '--output needs a value', 'ocl export --help'],
    ['copy a b --concurrency', '--concurrency needs a value', 'ocl copy --help'],
    ['pull alpine', 'there is no command "pull"', 'ocl copy SOURCE TARGET'],
    ['--tmpdir /tmp pull x', 'there is no command "pull"', 'ocl copy SOURCE TARGET'],
    ['load x', 'there is no command "load"', 'ocl import'],
    ['frobnicate', 'there is no command "frobnicate"', 'ocl --help'],
  ])('ocl %s', async (line, message, hint) => {
    const { status, stderr } = await ocl(line.split(' '), { env: { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' } });
    expect(status).toBe(EXIT.usage);
    expect(stderr).toContain(message);
    expect(stderr).toContain(`hint:  ${hint}`);
    expect(stderr).not.toContain('hush');
  });

  it.each([
    ['push', 'ocl copy'],
    ['save', 'ocl export'],
    ['images', 'ocl ls'],
    ['fsck', 'ocl check'],
    ['prune', 'ocl gc'],
    ['delete', 'ocl tag rm'],
    ['once', 'ocl sync'],
    ['constructor', 'ocl --help'],
  ])('a verb of another tool, %s, leads to %s', (word, hint) => {
    expect(usageError('Unknown argument: x', [word, 'x']).hint).toContain(hint);
  });
});
