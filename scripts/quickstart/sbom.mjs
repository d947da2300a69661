import { hashOf } from './pieces.mjs';

const SPDX = 'application/spdx+json';
const UNKNOWN = 'NOASSERTION';

/** Attaches an SBOM (SPDX 2.3) to the manifest of one platform: all its files with their hashes. */
export function addSbom(repository, version, { manifest, architecture, files }) {
  const sbom = repository.blob(
    `${JSON.stringify(sbomOf(version, manifest, architecture, files), undefined, 2)}\n`,
    SPDX,
  );
  return repository.artifact({
    artifactType: SPDX,
    layers: [{ ...sbom, annotations: { 'org.opencontainers.image.title': `hello-${architecture}.spdx.json` } }],
    subject: manifest,
    annotations: { 'org.opencontainers.image.created': '2026-01-01T00:00:00Z' },
  });
}

function sbomOf(version, manifest, architecture, files) {
  const described = files
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, bytes }, i) => ({
      SPDXID: `SPDXRef-File-${i + 1}`,
      fileName: `./${path}`,
      // SHA-1 is what the specification demands of files; SHA-256 is what one may rely on.
      checksums: [
        { algorithm: 'SHA1', checksumValue: hashOf('sha1', bytes) },
        { algorithm: 'SHA256', checksumValue: hashOf('sha256', bytes) },
      ],
      licenseConcluded: 'Apache-2.0',
      licenseInfoInFiles: [UNKNOWN],
      copyrightText: UNKNOWN,
    }));
  const [algorithm, hex] = manifest.digest.split(':');
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `hello-${version}-linux-${architecture}`,
    documentNamespace: `https://quickstart.example/spdx/hello/${version}/${hex}`,
    creationInfo: { created: '2026-01-01T00:00:00Z', creators: ['Tool: ocl-quickstart'] },
    packages: [
      {
        SPDXID: 'SPDXRef-Image',
        name: 'hello',
        versionInfo: version,
        supplier: UNKNOWN,
        downloadLocation: UNKNOWN,
        primaryPackagePurpose: 'CONTAINER',
        filesAnalyzed: true,
        packageVerificationCode: { packageVerificationCodeValue: verificationCode(described) },
        checksums: [{ algorithm: algorithm.toUpperCase(), checksumValue: hex }],
        externalRefs: [
          {
            referenceCategory: 'PACKAGE-MANAGER',
            referenceType: 'purl',
            referenceLocator: `pkg:oci/hello@${encodeURIComponent(manifest.digest)}?arch=${architecture}&tag=${version}`,
          },
        ],
        licenseConcluded: 'Apache-2.0',
        licenseDeclared: 'Apache-2.0',
        licenseInfoFromFiles: [UNKNOWN],
        copyrightText: UNKNOWN,
      },
    ],
    files: described,
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: 'SPDXRef-Image' },
      ...described.map(({ SPDXID }) => ({
        spdxElementId: 'SPDXRef-Image',
        relationshipType: 'CONTAINS',
        relatedSpdxElement: SPDXID,
      })),
    ],
  };
}

/** One hash over the sorted SHA-1 hashes of all files, as SPDX 2.3 defines it in 7.9. */
function verificationCode(files) {
  return hashOf(
    'sha1',
    files
      .map(({ checksums }) => checksums[0].checksumValue)
      .toSorted()
      .join(''),
  );
}
