#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';

const [first, ...rest] = process.argv.slice(2);
const bundle = new URL('../dist/ocl.mjs', import.meta.url);
if (rest.length === 0 && (first === '--version' || first === '-v')) {
  console.log(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version);
} else if (existsSync(bundle)) {
  module.enableCompileCache?.();
  await import(bundle.href);
} else {
  console.error('Cannot start ocl: dist/ocl.mjs is missing; run npm run build');
  process.exitCode = 1;
}
