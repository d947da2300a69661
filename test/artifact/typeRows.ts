import { MEDIA } from '../../src/core/mediaTypes.ts';
import { type ThingSpec } from './thing.ts';

export const OCI = MEDIA.ociConfig;
const DOCKER = MEDIA.dockerConfig;
export const EMPTY = MEDIA.ociEmpty;
const UNKNOWN = 'application/vnd.unknown.config.v1+json';
export const TAR = MEDIA.ociLayerGzip;
const AMD64 = { os: 'linux', architecture: 'amd64' };
const OPA = 'application/vnd.cncf.openpolicyagent';
const TITLE = 'org.opencontainers.image.title';
export const HEX = 'a'.repeat(64);
const titled = (title: string, type?: string) => ({
  ...(type === undefined ? {} : { type }),
  annotations: { [TITLE]: title },
});
export const labelled = (labels: Record<string, string>): ThingSpec => ({
  content: { os: 'linux', architecture: 'amd64', config: { Labels: labels } },
  layers: [TAR],
});

export interface Row {
  /** The row of the list of types that it stands for. */
  readonly n: number;
  readonly is: string;
  readonly spec: ThingSpec;
  readonly tag?: string;
  readonly repository?: string;
  readonly scan?: string;
  /** The beginning of the explanation. */
  readonly why: string;
}

/** One thing at least for each of the 76 rows of the list, the traps among them. */
export const ROWS: readonly Row[] = [
  { n: 1, is: 'image-oci', spec: { layers: [TAR] }, scan: 'image', why: `config ${OCI}` },
  { n: 1, is: 'image-oci', spec: { layers: [MEDIA.ociLayerZstd] }, why: 'config' },
  {
    n: 2,
    is: 'image-docker',
    spec: { config: DOCKER, mediaType: MEDIA.dockerManifest, layers: [MEDIA.dockerLayerGzip] },
    scan: 'image',
    why: `config ${DOCKER}`,
  },
  {
    n: 3,
    is: 'image-index',
    spec: { manifests: [{ platform: AMD64, layers: [TAR] }] },
    scan: 'nested',
    why: 'media type',
  },
  {
    n: 3,
    is: 'image-index',
    spec: {
      mediaType: MEDIA.dockerIndex,
      manifests: [{ platform: AMD64, config: DOCKER, mediaType: MEDIA.dockerManifest }],
    },
    why: 'media type',
  },
  { n: 3, is: 'image-index', spec: { manifests: [] }, why: 'media type' },
  {
    n: 5,
    is: 'windows-image',
    spec: {
      config: DOCKER,
      mediaType: MEDIA.dockerManifest,
      layers: [MEDIA.dockerForeignLayerGzip, MEDIA.dockerLayerGzip],
    },
    scan: 'image',
    why: 'layer application/vnd.docker.image.rootfs.foreign',
  },
  {
    n: 5,
    is: 'windows-image',
    spec: { layers: [TAR], content: { os: 'windows', architecture: 'amd64' } },
    why: 'operating system windows',
  },
  {
    n: 6,
    is: 'helm-chart',
    spec: {
      config: 'application/vnd.cncf.helm.config.v1+json',
      layers: [
        'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
        'application/vnd.cncf.helm.chart.provenance.v1.prov',
      ],
    },
    scan: 'iac',
    why: 'config application/vnd.cncf.helm',
  },
  {
    n: 7,
    is: 'helm-provenance',
    spec: { config: EMPTY, layers: ['application/vnd.cncf.helm.chart.provenance.v1.prov'] },
    why: 'layer',
  },
  {
    n: 8,
    is: 'helm-plugin',
    spec: { artifactType: 'application/vnd.helm.plugin.v1+json', config: EMPTY, layers: [TAR] },
    why: 'artifactType',
  },
  {
    n: 9,
    is: 'cnab',
    spec: {
      annotations: { 'org.opencontainers.artifactType': 'application/vnd.cnab.manifest.v1' },
      manifests: [{ config: 'application/vnd.cnab.config.v1+json' }, { layers: [TAR] }],
    },
    scan: 'nested',
    why: 'annotation org.opencontainers.artifactType',
  },
  {
    n: 9,
    is: 'cnab',
    spec: { annotations: { 'io.cnab.runtime_version': 'v1.0.0' }, manifests: [] },
    why: 'annotation io.cnab.runtime_version',
  },
  {
    n: 9,
    is: 'cnab',
    spec: { artifactType: 'application/vnd.cnab.manifest.v1', manifests: [{ layers: [TAR] }] },
    why: 'artifactType',
  },
  {
    n: 9,
    is: 'cnab',
    spec: {
      mediaType: MEDIA.dockerIndex,
      manifests: [
        {
          mediaType: MEDIA.dockerManifest,
          config: DOCKER,
          content: { schemaVersion: 'v1.0.0', name: 'x', invocationImages: [] },
          layers: [DOCKER],
        },
      ],
    },
    why: 'its first manifest',
  },
  { n: 10, is: 'cnab-config', spec: { config: 'application/vnd.cnab.config.v1+json' }, why: 'config' },
  { n: 10, is: 'cnab-config', spec: { config: 'application/vnd.cnab.bundle.config.v1+json' }, why: 'config' },
  {
    n: 11,
    is: 'sif',
    spec: { config: 'application/vnd.sylabs.sif.config.v1+json', layers: ['application/vnd.sylabs.sif.layer.v1.sif'] },
    why: 'config',
  },
  { n: 11, is: 'sif', spec: { config: UNKNOWN, layers: ['appliciation/vnd.sylabs.sif.layer.tar'] }, why: 'layer' },
  {
    n: 12,
    is: 'oci-sif',
    spec: { layers: ['application/vnd.sylabs.image.layer.v1.squashfs'] },
    scan: 'skip',
    why: 'layer',
  },
  { n: 12, is: 'oci-sif', spec: { config: 'application/vnd.sylabs.data-container.v1+json' }, why: 'config' },
  {
    n: 13,
    is: 'opa-bundle',
    spec: { config: `${OPA}.config.v1+json`, layers: [`${OPA}.layer.v1.tar+gzip`] },
    why: 'config',
  },
  { n: 13, is: 'opa-bundle', spec: { layers: [`${OPA}.layer.v1.tar+gzip`] }, why: 'layer' },
  {
    n: 14,
    is: 'conftest-policy',
    spec: { config: UNKNOWN, layers: [`${OPA}.policy.layer.v1+rego`, `${OPA}.data.layer.v1+json`] },
    why: 'layer',
  },
  {
    n: 15,
    is: 'gatekeeper-policy',
    spec: { config: EMPTY, layers: [titled('constraint-template.yaml')] },
    scan: 'iac',
    why: 'annotation of a layer',
  },
  {
    n: 16,
    is: 'kyverno-policy',
    spec: {
      config: 'application/vnd.cncf.kyverno.config.v1+json',
      layers: ['application/vnd.cncf.kyverno.policy.layer.v1+yaml'],
    },
    scan: 'iac',
    why: 'config',
  },
  {
    n: 17,
    is: 'kubewarden-policy',
    spec: { config: 'application/vnd.wasm.config.v1+json', layers: ['application/vnd.wasm.content.layer.v1+wasm'] },
    repository: 'ghcr.io/kubewarden/policies/pod-privileged',
    why: 'config application/vnd.wasm.config.v1+json, repository',
  },
  {
    n: 18,
    is: 'wasm',
    spec: {
      config: 'application/vnd.wasm.config.v0+json',
      layers: ['application/wasm'],
      content: { os: 'wasip1', architecture: 'wasm', layerDigests: [] },
    },
    why: 'config',
  },
  {
    n: 19,
    is: 'wasm-to-oci',
    spec: { config: 'application/vnd.wasm.config.v1+json', layers: ['application/vnd.wasm.content.layer.v1+wasm'] },
    why: 'config',
  },
  {
    n: 20,
    is: 'wasm-envoy',
    spec: {
      config: 'application/vnd.module.wasm.config.v1+json',
      layers: ['application/vnd.module.wasm.content.layer.v1+wasm'],
    },
    why: 'config',
  },
  {
    n: 21,
    is: 'spin-app',
    spec: {
      config: 'application/vnd.fermyon.spin.application.v1+config',
      layers: ['application/vnd.wasm.content.layer.v1+wasm'],
    },
    why: 'config',
  },
  {
    n: 22,
    is: 'flux',
    spec: {
      config: 'application/vnd.cncf.flux.config.v1+json',
      layers: ['application/vnd.cncf.flux.content.v1.tar+gzip'],
    },
    scan: 'iac',
    why: 'config',
  },
  { n: 22, is: 'flux', spec: { layers: ['application/vnd.cncf.flux.content.v1.yaml'] }, why: 'layer' },
  {
    n: 23,
    is: 'timoni',
    spec: {
      config: 'application/vnd.timoni.config.v1+json',
      layers: [
        { type: 'application/vnd.timoni.content.v1.tar+gzip', annotations: { 'sh.timoni.content.type': 'module' } },
      ],
    },
    scan: 'iac',
    why: 'config',
  },
  {
    n: 24,
    is: 'cosign-signature',
    spec: { layers: ['application/vnd.dev.cosign.simplesigning.v1+json'] },
    tag: `sha256-${HEX}.sig`,
    scan: 'skip',
    why: 'layer',
  },
  { n: 24, is: 'cosign-signature', spec: { layers: [] }, tag: `sha256-${HEX}.sig`, why: 'tag' },
  {
    n: 25,
    is: 'cosign-signature-referrer',
    spec: {
      artifactType: 'application/vnd.dev.cosign.artifact.sig.v1+json',
      layers: ['application/vnd.dev.cosign.simplesigning.v1+json'],
    },
    why: 'artifactType',
  },
  {
    n: 26,
    is: 'cosign-attestation',
    spec: {
      layers: [
        {
          type: 'application/vnd.dsse.envelope.v1+json',
          annotations: { predicateType: 'https://slsa.dev/provenance/v1' },
        },
      ],
    },
    tag: `sha256-${HEX}.att`,
    scan: 'skip',
    why: 'layer',
  },
  {
    n: 26,
    is: 'cosign-attestation',
    spec: {
      layers: [
        {
          type: 'application/vnd.dsse.envelope.v1+json',
          annotations: { predicateType: 'https://spdx.dev/Document/v2.3' },
        },
      ],
    },
    scan: 'sbom',
    why: 'layer',
  },
  {
    n: 27,
    is: 'cosign-sbom',
    spec: { layers: ['text/spdx+json'] },
    tag: `sha256-${HEX}.sbom`,
    scan: 'sbom',
    why: 'layer text/spdx+json, tag',
  },
  {
    n: 28,
    is: 'sigstore-bundle',
    spec: {
      artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      config: EMPTY,
      layers: ['application/vnd.dev.sigstore.bundle.v0.3+json'],
    },
    scan: 'skip',
    why: 'artifactType',
  },
  {
    n: 28,
    is: 'sigstore-bundle',
    spec: {
      artifactType: 'application/vnd.dev.sigstore.bundle+json;version=0.2',
      config: EMPTY,
      layers: [],
      annotations: { 'dev.sigstore.bundle.predicateType': 'https://cyclonedx.org/bom' },
    },
    scan: 'sbom',
    why: 'artifactType',
  },
  {
    n: 29,
    is: 'notation-signature',
    spec: { config: 'application/vnd.cncf.notary.signature', layers: ['application/jose+json'] },
    why: 'config',
  },
  {
    n: 29,
    is: 'notation-signature',
    spec: { artifactType: 'application/vnd.cncf.notary.signature', config: EMPTY, layers: ['application/cose'] },
    why: 'artifactType',
  },
  {
    n: 30,
    is: 'spdx',
    spec: { artifactType: 'application/spdx+json', config: EMPTY, layers: ['application/spdx+json'] },
    scan: 'sbom',
    why: 'artifactType',
  },
  { n: 30, is: 'spdx', spec: { artifactType: 'text/spdx', config: EMPTY, layers: ['text/spdx'] }, why: 'artifactType' },
  {
    n: 31,
    is: 'cyclonedx',
    spec: { artifactType: 'application/vnd.cyclonedx+xml', config: EMPTY, layers: ['application/vnd.cyclonedx+xml'] },
    scan: 'sbom',
    why: 'artifactType',
  },
  {
    n: 32,
    is: 'syft-sbom',
    spec: { config: EMPTY, layers: ['application/vnd.syft+json'] },
    scan: 'sbom',
    why: 'layer',
  },
  {
    n: 33,
    is: 'in-toto',
    spec: { artifactType: 'application/vnd.in-toto+json', config: EMPTY, layers: ['application/vnd.in-toto+json'] },
    scan: 'skip',
    why: 'artifactType',
  },
  {
    n: 33,
    is: 'in-toto',
    spec: {
      config: EMPTY,
      layers: [
        {
          type: 'application/vnd.in-toto+json',
          annotations: { 'in-toto.io/predicate-type': 'https://openvex.dev/ns/v0.2.0' },
        },
      ],
    },
    scan: 'sbom',
    why: 'layer',
  },
  {
    n: 34,
    is: 'buildkit-attestation',
    spec: {
      artifactType: 'application/vnd.docker.attestation.manifest.v1+json',
      config: EMPTY,
      layers: ['application/vnd.in-toto+json'],
    },
    scan: 'sbom',
    why: 'artifactType',
  },
  {
    n: 34,
    is: 'buildkit-attestation',
    spec: {
      layers: [
        {
          type: 'application/vnd.in-toto+json',
          annotations: { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' },
        },
      ],
      platform: { os: 'unknown', architecture: 'unknown' },
      entry: { 'vnd.docker.reference.type': 'attestation-manifest' },
    },
    why: 'layer application/vnd.in-toto+json',
  },
  {
    n: 35,
    is: 'buildkit-cache',
    spec: { config: 'application/vnd.buildkit.cacheconfig.v0', layers: [TAR] },
    why: 'config',
  },
  {
    n: 35,
    is: 'buildkit-cache',
    spec: { manifests: [], blobs: [TAR, 'application/vnd.buildkit.cacheconfig.v0'] },
    why: 'entry application/vnd.buildkit.cacheconfig.v0',
  },
  {
    n: 36,
    is: 'openvex',
    spec: { artifactType: 'application/vnd.openvex+json', config: EMPTY, layers: ['application/vnd.openvex+json'] },
    scan: 'sbom',
    why: 'artifactType',
  },
  {
    n: 37,
    is: 'sarif',
    spec: { artifactType: 'application/sarif+json', config: EMPTY, layers: ['application/sarif+json'] },
    scan: 'skip',
    why: 'artifactType',
  },
  {
    n: 37,
    is: 'trivy-report',
    spec: {
      artifactType: 'application/vnd.aquasec.trivy.report+json',
      config: EMPTY,
      layers: ['application/vnd.aquasec.trivy.report+json'],
    },
    scan: 'skip',
    why: 'artifactType',
  },
  {
    n: 37,
    is: 'grype-report',
    spec: {
      artifactType: 'application/vnd.anchore.grype.report+json',
      config: EMPTY,
      layers: ['application/vnd.anchore.grype.report+json'],
    },
    scan: 'skip',
    why: 'artifactType',
  },
  {
    n: 38,
    is: 'scout-attestation',
    spec: {
      artifactType: 'application/vnd.in-toto+json',
      config: EMPTY,
      layers: ['application/vnd.in-toto+json'],
      annotations: { 'in-toto.io/predicate-type': 'https://scout.docker.com/health/v0.1' },
    },
    why: 'artifactType application/vnd.in-toto+json, annotation',
  },
  {
    n: 39,
    is: 'falco-rules',
    spec: {
      config: 'application/vnd.cncf.falco.rulesfile.config.v1+json',
      layers: ['application/vnd.cncf.falco.rulesfile.layer.v1+tar.gz'],
    },
    why: 'config',
  },
  {
    n: 39,
    is: 'falco-plugin',
    spec: { config: UNKNOWN, layers: ['application/vnd.cncf.falco.plugin.layer.v1+tar.gz'] },
    why: 'layer',
  },
  {
    n: 39,
    is: 'falco-asset',
    spec: { config: 'application/vnd.cncf.falco.asset.config.v1+json', layers: [] },
    why: 'config',
  },
  {
    n: 40,
    is: 'tekton-bundle',
    spec: {
      layers: [
        {
          type: TAR,
          annotations: {
            'dev.tekton.image.name': 'build',
            'dev.tekton.image.kind': 'task',
            'dev.tekton.image.apiVersion': 'v1',
          },
        },
      ],
    },
    scan: 'iac',
    why: 'annotation of a layer: dev.tekton.image.kind=task',
  },
  {
    n: 41,
    is: 'crossplane-package',
    spec: { layers: [{ type: TAR, annotations: { 'io.crossplane.xpkg': 'base' } }] },
    scan: 'image',
    why: 'annotation of a layer: io.crossplane.xpkg=base',
  },
  {
    n: 41,
    is: 'crossplane-package',
    spec: { manifests: [{ platform: AMD64, layers: [{ type: TAR, annotations: { 'io.crossplane.xpkg': 'base' } }] }] },
    why: 'its first manifest',
  },
  {
    n: 42,
    is: 'imgpkg-bundle',
    spec: labelled({ 'dev.carvel.imgpkg.bundle': 'true' }),
    scan: 'nested',
    why: 'label dev.carvel.imgpkg.bundle=true',
  },
  {
    n: 43,
    is: 'zarf-package',
    spec: {
      config: 'application/vnd.zarf.config.v1+json',
      layers: [titled('../../etc/passwd', 'application/vnd.zarf.layer.v1.blob')],
    },
    scan: 'nested',
    why: 'config',
  },
  {
    n: 44,
    is: 'hauler-content',
    spec: {
      config: 'application/vnd.content.hauler.file.http.config.v1+json',
      layers: ['application/vnd.content.hauler.file.layer.v1'],
    },
    why: 'config',
  },
  {
    n: 45,
    is: 'compose-app',
    spec: {
      artifactType: 'application/vnd.docker.compose.project',
      config: 'application/vnd.docker.compose.config.empty.v1+json',
      layers: ['application/vnd.docker.compose.file+yaml'],
    },
    scan: 'nested',
    why: 'artifactType',
  },
  {
    n: 46,
    is: 'docker-extension',
    spec: labelled({ 'com.docker.desktop.extension.api.version': '0.3.4' }),
    scan: 'image',
    why: 'label',
  },
  {
    n: 47,
    is: 'docker-model',
    spec: {
      config: 'application/vnd.docker.ai.model.config.v0.1+json',
      layers: ['application/vnd.docker.ai.gguf.v3', 'application/vnd.docker.ai.license'],
    },
    why: 'config',
  },
  {
    n: 48,
    is: 'modelpack',
    spec: {
      artifactType: 'application/vnd.cncf.model.manifest.v1+json',
      config: 'application/vnd.cncf.model.config.v1+json',
      layers: ['application/vnd.cncf.model.weight.v1.tar'],
    },
    why: 'artifactType',
  },
  {
    n: 49,
    is: 'kitops-modelkit',
    spec: {
      config: 'application/vnd.kitops.modelkit.config.v1+json',
      layers: ['application/vnd.kitops.modelkit.model.v1.tar+gzip'],
    },
    why: 'config',
  },
  {
    n: 50,
    is: 'ollama-model',
    spec: {
      mediaType: MEDIA.dockerManifest,
      config: DOCKER,
      layers: ['application/vnd.ollama.image.model', 'application/vnd.ollama.image.license'],
    },
    scan: 'skip',
    why: 'layer application/vnd.ollama.image.model',
  },
  {
    n: 51,
    is: 'gguf',
    spec: { artifactType: 'application/vnd.unknown.artifact.v1', config: EMPTY, layers: [titled('tiny.Q4_K_M.gguf')] },
    why: 'annotation of a layer',
  },
  {
    n: 52,
    is: 'trivy-db',
    spec: {
      artifactType: 'application/vnd.aquasec.trivy.config.v1+json',
      config: EMPTY,
      layers: [titled('db.tar.gz', 'application/vnd.aquasec.trivy.db.layer.v1.tar+gzip')],
    },
    scan: 'db',
    why: 'artifactType',
  },
  {
    n: 52,
    is: 'trivy-java-db',
    spec: {
      config: 'application/vnd.aquasec.trivy.config.v1+json',
      layers: ['application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip'],
    },
    scan: 'db',
    why: 'config',
  },
  {
    n: 53,
    is: 'trivy-checks',
    spec: { config: `${OPA}.config.v1+json`, layers: [titled('bundle.tar.gz', `${OPA}.layer.v1.tar+gzip`)] },
    scan: 'db',
    why: 'config',
  },
  {
    n: 54,
    is: 'oras-files',
    spec: { artifactType: 'application/vnd.unknown.artifact.v1', config: EMPTY, layers: [titled('notes.txt')] },
    why: 'artifactType',
  },
  { n: 54, is: 'oras-files', spec: { config: UNKNOWN, layers: [titled('dir')] }, why: 'config' },
  {
    n: 55,
    is: 'buildpacks-builder',
    spec: labelled({ 'io.buildpacks.builder.metadata': '{}' }),
    scan: 'image',
    why: 'label',
  },
  { n: 55, is: 'buildpack', spec: labelled({ 'io.buildpacks.buildpackage.metadata': '{}' }), why: 'label' },
  { n: 55, is: 'buildpacks-app', spec: labelled({ 'io.buildpacks.lifecycle.metadata': '{}' }), why: 'label' },
  {
    n: 56,
    is: 'homebrew-bottle',
    spec: {
      annotations: { 'com.github.package.type': 'homebrew_bottle' },
      manifests: [{ platform: { os: 'darwin', architecture: 'arm64' }, layers: [TAR] }],
    },
    scan: 'skip',
    why: 'annotation com.github.package.type=homebrew_bottle',
  },
  {
    n: 56,
    is: 'homebrew-bottle',
    spec: { layers: [TAR], annotations: { 'sh.brew.tab': '{}' } },
    why: 'annotation sh.brew.tab',
  },
  {
    n: 57,
    is: 'bicep-module',
    spec: {
      artifactType: 'application/vnd.ms.bicep.module.artifact',
      config: 'application/vnd.ms.bicep.module.config.v1+json',
      layers: ['application/vnd.ms.bicep.module.layer.v1+json'],
    },
    scan: 'iac',
    why: 'artifactType',
  },
  {
    n: 58,
    is: 'bicep-extension',
    spec: {
      artifactType: 'application/vnd.ms.bicep.provider.artifact',
      config: EMPTY,
      layers: ['application/vnd.ms.bicep.provider.layer.v1.tar+gzip'],
    },
    why: 'artifactType',
  },
  {
    n: 59,
    is: 'opentofu-module',
    spec: { artifactType: 'application/vnd.opentofu.modulepkg', config: EMPTY, layers: ['archive/zip'] },
    scan: 'iac',
    why: 'artifactType',
  },
  {
    n: 60,
    is: 'opentofu-provider',
    spec: {
      artifactType: 'application/vnd.opentofu.provider',
      manifests: [
        {
          artifactType: 'application/vnd.opentofu.provider-target',
          config: EMPTY,
          layers: ['archive/zip'],
          platform: AMD64,
        },
      ],
    },
    scan: 'skip',
    why: 'artifactType',
  },
  {
    n: 60,
    is: 'opentofu-provider',
    spec: {
      manifests: [
        {
          artifactType: 'application/vnd.opentofu.provider-target',
          config: EMPTY,
          layers: ['archive/zip'],
          platform: AMD64,
        },
      ],
    },
    why: 'its first manifest',
  },
  {
    n: 61,
    is: 'flux-terraform',
    spec: {
      config: 'application/vnd.cncf.flux.config.v1+json',
      layers: ['application/vnd.cncf.flux.content.v1.tar+gzip'],
      annotations: { 'org.opencontainers.image.source': 'https://git.example/terraform-network' },
    },
    scan: 'iac',
    why: 'config',
  },
  {
    n: 62,
    is: 'artifacthub-metadata',
    spec: {
      config: 'application/vnd.cncf.artifacthub.config.v1+yaml',
      layers: ['application/vnd.cncf.artifacthub.repository-metadata.layer.v1.yaml'],
    },
    tag: 'artifacthub.io',
    why: 'config',
  },
  {
    n: 63,
    is: 'kcl',
    spec: { artifactType: TAR, config: EMPTY, layers: [TAR], annotations: { 'org.kcllang.package.name': 'k8s' } },
    scan: 'iac',
    why: 'annotation org.kcllang.package.name=k8s',
  },
  {
    n: 64,
    is: 'cue-module',
    spec: {
      config: 'application/vnd.cue.module.v1+json',
      layers: ['application/zip', 'application/vnd.cue.modulefile.v1'],
    },
    scan: 'iac',
    why: 'config',
  },
  {
    n: 65,
    is: 'devcontainer-feature',
    spec: {
      config: 'application/vnd.devcontainers',
      layers: ['application/vnd.devcontainers.layer.v1+tar'],
      annotations: { 'com.github.package.type': 'devcontainer_feature' },
    },
    why: 'config',
  },
  {
    n: 65,
    is: 'devcontainer-template',
    spec: {
      config: 'application/vnd.devcontainers',
      layers: ['application/vnd.devcontainers.layer.v1+tar'],
      annotations: { 'com.github.package.type': 'devcontainer_template' },
    },
    why: 'config',
  },
  {
    n: 66,
    is: 'devcontainer-collection',
    spec: {
      config: 'application/vnd.devcontainers',
      layers: ['application/vnd.devcontainers.collection.layer.v1+json'],
    },
    why: 'config',
  },
  {
    n: 67,
    is: 'containerdisk',
    spec: {
      layers: [TAR],
      content: {
        os: 'linux',
        architecture: 'amd64',
        history: [{ created_by: 'ADD --chown=107:107 fedora.qcow2 /disk/' }],
      },
    },
    scan: 'skip',
    why: 'history',
  },
  { n: 68, is: 'bootc', spec: labelled({ 'containers.bootc': '1' }), scan: 'image', why: 'label containers.bootc=1' },
  {
    n: 68,
    is: 'bootc',
    spec: { manifests: [{ ...labelled({ 'containers.bootc': '1' }), platform: AMD64 }] },
    why: 'its first manifest',
  },
  {
    n: 69,
    is: 'inspektor-gadget',
    spec: {
      config: 'application/vnd.gadget.config.v1+yaml',
      layers: ['application/vnd.gadget.ebpf.program.v1+binary'],
    },
    why: 'config',
  },
  {
    n: 70,
    is: 'acorn',
    spec: { layers: [TAR], content: { history: [{ created_by: 'COPY Acornfile /' }] } },
    scan: 'image',
    why: 'history',
  },
  {
    n: 71,
    is: 'meshery-design',
    spec: { artifactType: 'application/vnd.meshery.design.v1', config: EMPTY, layers: [TAR] },
    scan: 'iac',
    why: 'artifactType',
  },
  {
    n: 71,
    is: 'meshery-bundle',
    spec: { artifactType: 'application/vnd.meshery.bundle.v1', manifests: [] },
    scan: 'nested',
    why: 'artifactType',
  },
  {
    n: 71,
    is: 'meshery-deprecation',
    spec: { artifactType: 'application/vnd.meshery.deprecation.v1+json', config: EMPTY, layers: ['application/json'] },
    scan: 'skip',
    why: 'artifactType',
  },
  {
    n: 72,
    is: 'ocm-component',
    spec: {
      config: 'application/vnd.ocm.software.component.config.v1+json',
      layers: ['application/vnd.ocm.software.component-descriptor.v2+yaml+tar'],
    },
    scan: 'nested',
    why: 'config',
  },
  {
    n: 73,
    is: 'argo-template',
    spec: { config: EMPTY, layers: [titled('build-workflowtemplate.yaml')] },
    why: 'annotation of a layer',
  },
  {
    n: 73,
    is: 'backstage-plugin',
    spec: { layers: [TAR], annotations: { 'io.backstage.dynamic-packages': 'W10=' } },
    why: 'annotation',
  },
  {
    n: 73,
    is: 'headlamp-plugin',
    spec: { config: EMPTY, layers: [titled('headlamp-plugin-flux-0.1.tar.gz')] },
    why: 'annotation of a layer',
  },
  {
    n: 73,
    is: 'kubearmor-policy',
    spec: { config: EMPTY, layers: [titled('ksp-mysql.yaml')] },
    why: 'annotation of a layer',
  },
  {
    n: 74,
    is: 'nydus',
    spec: { layers: [{ type: TAR, annotations: { 'containerd.io/snapshot/nydus-bootstrap': 'true' } }] },
    scan: 'skip',
    why: 'annotation of a layer',
  },
  {
    n: 74,
    is: 'estargz',
    spec: { layers: [{ type: TAR, annotations: { 'containerd.io/snapshot/stargz/toc.digest': `sha256:${HEX}` } }] },
    scan: 'image',
    why: 'annotation of a layer',
  },
  {
    n: 74,
    is: 'soci-index',
    spec: {
      artifactType: 'application/vnd.amazon.soci.index.v2+json',
      config: EMPTY,
      layers: ['application/octet-stream'],
    },
    why: 'artifactType',
  },
  {
    n: 75,
    is: 'pulumi',
    spec: { config: EMPTY, layers: [titled('pulumi-resource-aws-v6.tar.gz')] },
    why: 'annotation of a layer',
  },
  {
    n: 75,
    is: 'nginx-module',
    spec: { config: EMPTY, layers: [titled('ngx_http_brotli_filter_module.so')] },
    why: 'annotation of a layer',
  },
  {
    n: 75,
    is: 'ansible-collection',
    spec: { config: EMPTY, layers: [titled('galaxy.yml')] },
    why: 'annotation of a layer',
  },
  {
    n: 76,
    is: 'attributes',
    spec: { artifactType: 'application/vnd.example.thing', config: EMPTY, layers: [EMPTY] },
    why: `layer ${EMPTY}`,
  },
];
