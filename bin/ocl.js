#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';

const [first, ...rest] = process.argv.slice(2);
const command = new URL('../dist/command/ocl.mjs', import.meta.url);
if (rest.length === 0 && (first === '--version' || first === '-v')) {
  console.log(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version);
} else if (existsSync(command)) {
  module.enableCompileCache?.();
  await import(command.href);
} else {
  console.error('Cannot start ocl: dist is missing; run npm run build');
  process.exitCode = 1;
}
