import { describe, expect, it } from 'vitest';
import { parseVolumeSizes } from '../../src/core/volumeSizes.ts';

describe('sizes of volumes', () => {
  it.each([
    ['4GB', [4e9]],
    ['4gb', [4e9]],
    ['4G', [4e9]],
    ['700MB', [700e6]],
    ['4GiB', [2 ** 32]],
    ['1.5GiB', [1.5 * 2 ** 30]],
    ['500KB', [500e3]],
    ['123456', [123_456]],
    ['123456B', [123_456]],
    ['2TiB', [2 * 2 ** 40]],
    ['fat32', [2 ** 32 - 1]],
    ['usb:64G', [59.52e9]],
    ['USB:64GB', [59.52e9]],
    ['4GB,700MB, 1GiB', [4e9, 700e6, 2 ** 30]],
  ])('reads %s', (text, sizes) => {
    expect(parseVolumeSizes(text)).toEqual(sizes);
  });

  it.each([
    ['cd', 737_280_000],
    ['dvd', 4_700_372_992],
    ['DVD', 4_707_319_808],
    ['dvd-dl', 8_543_666_176],
    ['bd', 25_025_314_816],
  ])('leaves room for the file system on a %s', (text, capacity) => {
    const [size = 0] = parseVolumeSizes(text);
    expect(size).toBeLessThan(capacity);
    expect(size).toBeGreaterThan(capacity * 0.96);
  });

  it.each([
    '',
    'floppy',
    '0',
    '-1',
    '4 GB',
    '4XB',
    '1e9',
    'usb:',
    'usb:dvd',
    '4GB,',
    '0.5',
    '99999999TiB',
    'constructor',
  ])('refuses %j', (text) => {
    expect(() => parseVolumeSizes(text)).toThrow(expect.objectContaining({ code: 'OCL_USAGE' }));
  });
});
