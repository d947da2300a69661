import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { hashOf } from './pieces.mjs';

const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const STATEMENT = 'application/vnd.in-toto+json';
const PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** A key for this run alone: nobody signs anything else with it. */
export function newKey() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** Attaches a signature to an image in the form of cosign 3: a sigstore bundle that refers to it. */
export function addSignature(repository, subject, { privateKey, publicKey }) {
  const payload = Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { sha256: subject.digest.slice('sha256:'.length) }, annotations: {} }],
      predicateType: PREDICATE,
      predicate: {},
    }),
  );
  const signature = sign('sha256', signedBytes(STATEMENT, payload), privateKey);
  const bundle = {
    mediaType: BUNDLE,
    verificationMaterial: {
      publicKey: { hint: hashOf('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'base64') },
    },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType: STATEMENT,
      signatures: [{ sig: signature.toString('base64') }],
    },
  };
  return repository.artifact({
    artifactType: BUNDLE,
    layers: [repository.blob(JSON.stringify(bundle), BUNDLE)],
    subject,
    annotations: {
      'dev.sigstore.bundle.content': 'dsse-envelope',
      'dev.sigstore.bundle.predicateType': PREDICATE,
      'org.opencontainers.image.created': '2026-01-01T00:00:00Z',
    },
  });
}

/** Whether a bundle is the key owner's signature of that very digest. */
export function isSignatureOf(bundleBytes, digest, publicKeyPem) {
  const { dsseEnvelope } = JSON.parse(bundleBytes.toString());
  const payload = Buffer.from(dsseEnvelope.payload, 'base64');
  const signature = Buffer.from(dsseEnvelope.signatures[0].sig, 'base64');
  const statement = JSON.parse(payload.toString());
  return (
    verify('sha256', signedBytes(dsseEnvelope.payloadType, payload), createPublicKey(publicKeyPem), signature) &&
    statement.subject.some((subject) => `sha256:${subject.digest.sha256}` === digest)
  );
}

/** What a DSSE envelope signs: the payload with its type, each with its length before it. */
function signedBytes(type, payload) {
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
}
