import { createSecureContext, type SecureContext } from 'node:tls';
import { OclError } from '../core/errors.ts';
import { type TlsSettings } from './httpMessages.ts';

/**
 * What a TLS connection trusts and shows.
 * @param ca PEM texts; undefined: what Node trusts by itself
 * @throws OCL_CONFIG_INVALID for a client certificate or key that cannot be used
 */
export function secureContextOf(tls: TlsSettings | undefined, ca: readonly string[] | undefined): SecureContext {
  try {
    return createSecureContext({
      ...(ca === undefined ? {} : { ca: [...ca] }),
      ...(tls?.clientCert === undefined ? {} : { cert: tls.clientCert }),
      ...(tls?.clientKey === undefined ? {} : { key: tls.clientKey }),
    });
  } catch (error) {
    throw new OclError(
      'OCL_CONFIG_INVALID',
      `Cannot use the certificate of the client: ${error instanceof Error ? error.message : String(error)}`,
      { hint: 'certificate and key must be PEM, belong together, and the key must have no password', cause: error },
    );
  }
}
