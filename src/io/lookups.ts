import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { OclError } from '../core/errors.ts';
import { isInternal, isMetadataService } from './addresses.ts';

/** Names that lead into a private network fail with OCL_UNSAFE. */
export const publicLookup = lookupWithout(isInternal, internal);

/** Names that lead to where a cloud hands out credentials fail with OCL_UNSAFE: no registry is there. */
export const guardedLookup = lookupWithout(
  isMetadataService,
  (hostname) =>
    new OclError(
      'OCL_UNSAFE',
      `Cannot connect to ${hostname}: clouds hand out the credentials of their machines there`,
      {
        hint: 'no registry has that address: look at who names this host, and at what the name server says of it',
      },
    ),
);

/**
 * Finds the addresses of a name for the connection that follows: what is checked is what is connected to, so that a second answer of the
 * name server cannot differ.
 */
function lookupWithout(
  isRefused: (address: string) => boolean,
  refusal: (hostname: string) => OclError,
): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return done(error, []);
      if (addresses.some(({ address }) => isRefused(address))) return done(refusal(hostname), []);
      if (options.all === true) return done(null, addresses);
      const [first] = addresses;
      done(null, first?.address ?? '', first?.family);
    });
  };
}

/** Addresses are not looked up. @throws OCL_UNSAFE */
export function refuseInternal(hostname: string): void {
  if (isIP(hostname) !== 0 && isInternal(hostname)) throw internal(hostname);
}

function internal(hostname: string): OclError {
  return new OclError('OCL_UNSAFE', `Cannot connect to ${hostname}: that is inside a private network`, {
    hint: 'a registry of the internet named this host; ask who runs it',
  });
}
