import { type LookupFunction } from 'node:net';
import { expect, it } from 'vitest';
import { guardedLookup, publicLookup } from '../../src/io/lookups.ts';

/** What a name comes to. Addresses come to themselves, as a name server's answer would be. */
function found(lookup: LookupFunction, hostname: string, all: boolean): Promise<unknown> {
  return new Promise((resolve, reject) =>
    lookup(hostname, { all }, (error, address) => (error === null ? resolve(address) : reject(error))),
  );
}

it.each([
  ['127.0.0.1', 'guarded'],
  ['10.1.2.3', 'guarded'],
  ['169.254.7.7', 'guarded'],
  ['169.254.169.254', 'none'],
  ['fd00:ec2::254', 'none'],
  ['203.0.113.7', 'both'],
])('%s is for %s', async (address, lookups) => {
  for (const all of [false, true]) {
    const guarded = found(guardedLookup, address, all);
    if (lookups === 'none') await expect(guarded).rejects.toMatchObject({ code: 'OCL_UNSAFE' });
    else expect(JSON.stringify(await guarded)).toContain(address);
    const open = found(publicLookup, address, all);
    if (lookups === 'both') expect(JSON.stringify(await open)).toContain(address);
    else await expect(open).rejects.toMatchObject({ code: 'OCL_UNSAFE' });
  }
});
