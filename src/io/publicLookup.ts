import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { OclError } from '../core/errors.ts';
import { isInternal } from './addresses.ts';

/**
 * Finds the addresses of a name for the connection that follows, and refuses names that lead into a private network: what is checked is
 * what is connected to, so that a second answer of the name server cannot differ. Fails with OCL_UNSAFE.
 */
export const publicLookup: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) return done(error, []);
    const inside = addresses.find(({ address }) => isInternal(address));
    if (inside !== undefined) return done(refusal(hostname), []);
    if (options.all === true) return done(null, addresses);
    const [first] = addresses;
    done(null, first?.address ?? '', first?.family);
  });
};

/** Addresses are not looked up. @throws OCL_UNSAFE */
export function refuseInternal(hostname: string): void {
  if (isIP(hostname) !== 0 && isInternal(hostname)) throw refusal(hostname);
}

function refusal(hostname: string): OclError {
  return new OclError('OCL_UNSAFE', `Cannot connect to ${hostname}: that is inside a private network`, {
    hint: 'a registry of the internet named this host; ask who runs it',
  });
}
