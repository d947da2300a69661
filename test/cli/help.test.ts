import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { ocl, PROGRAM } from '../support/cli.ts';

const NAMES = COMMANDS.map(({ usage }) => String(usage).split(' ')[0] ?? '');

describe('help', () => {
  it('lists every command', async () => {
    const { status, stdout, stderr } = await ocl(['--help']);
    expect([status, stderr]).toEqual([0, '']);
    for (const name of NAMES) expect(stdout).toMatch(new RegExp(`^ {2}ocl ${name} .*[a-z]$`, 'm'));
  });

  it.each(NAMES)('of %s says what it takes and gives an example', async (name) => {
    const { status, stdout, stderr } = await ocl([name, '--help']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Positionals:');
    expect(stdout.indexOf('\nOptions of every command:')).toBeGreaterThan(stdout.indexOf('\nOptions:'));
    expect(stdout).toMatch(new RegExp(`^Examples:\n {2}ocl ${name} `, 'm'));
  });

  it('has the version in one line', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    for (const option of ['--version', '-v']) {
      expect(await ocl([option])).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
    }
    expect(await ocl(['ls', '--version'])).toMatchObject({ status: 0, stdout: `${version}\n` });
  });

  it('has a completion script, which names what it completes', async () => {
    const { status, stdout } = await ocl(['completion']);
    expect(status).toBe(0);
    expect(stdout).toContain('###-begin-ocl-completions-###');
    const commands = await ocl(['--get-yargs-completions', 'ocl', ''], { env: { SHELL: '/bin/bash' } });
    for (const name of NAMES) expect(commands.stdout).toContain(name);
    expect(PROGRAM).toMatch(/ocl\.js$/);
  });
});
