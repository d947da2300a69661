import { expect, it } from 'vitest';
import { parseRate } from '../../src/cli/rate.ts';

it.each([
  ['1', 1],
  ['1000', 1000],
  ['500K', 512_000],
  ['10M', 10 * 1024 * 1024],
  ['1.5m', 1.5 * 1024 * 1024],
  ['1G', 1024 ** 3],
])('%s is a rate', (text, rate) => expect(parseRate(text)).toBe(rate));

it.each(['', '0', '-1', 'fast', '10MB', '10 M', '1e9', 'M', '0.1', 'NaN'])('%j is none', (text) => {
  expect(() => parseRate(text)).toThrow(expect.objectContaining({ code: 'OCL_USAGE' }));
});
