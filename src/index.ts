/** The library: what the commands are made of, for programs. Each name is documented where it is defined. */
export { classify, type Classification, type ClassifyOptions } from './artifact/kind.ts';
export { readDeprecation, type Deprecation, type DeprecationStatement } from './artifact/deprecation.ts';
export { describeImage, type Listed } from './artifact/list.ts';
export { inspect, type Inspection } from './artifact/inspect.ts';
export { buildTree, type TreeNode } from './artifact/tree.ts';
export { withTypes } from './artifact/types/file.ts';
export { type ArtifactType } from './artifact/types/schema.ts';
export { builtInTypes, TypeTable } from './artifact/types/table.ts';
export { inspectBundle as inspectCnab, type BundleInspection as CnabInspection } from './artifact/cnab/inspect.ts';
export {
  openFile as openCnabFile,
  openIndex as openCnabIndex,
  type OpenBundle as OpenCnab,
} from './artifact/cnab/open.ts';
export { relocateBundle as relocateCnab } from './artifact/cnab/relocate.ts';
export { buildArtifact, type ArtifactSpec, type BuiltArtifact, type LayerSpec } from './artifact/build.ts';
export { type Collection, type Tags } from './bundle/collection.ts';
export { Delta, type Known } from './bundle/delta.ts';
export { readKnown, type ReadKnownOptions } from './bundle/deltaBasis.ts';
export { diffSides, type DiffReport, type DiffSide } from './bundle/diff.ts';
export { readSide, readSideFile } from './bundle/diffSides.ts';
export { exportImages, type ExportOptions } from './bundle/export.ts';
export { planBundle, type BundlePlan, type PlanBundleOptions } from './bundle/plan.ts';
export { formatLock, makeLock, type LockFile } from './bundle/lock.ts';
export { parseLock } from './bundle/lockSchema.ts';
export { BundleSources, type BundleImage, type Wanted } from './bundle/sources.ts';
export { Waivers } from './bundle/waivers.ts';
export { deltaOf, splitBundle } from './bundle/split.ts';
export { verifyBundle, type VerifyReport } from './bundle/verify.ts';
export {
  importBundles,
  type GivenBundle,
  type ImportOptions,
  type ImportReport,
  type ImportTarget,
} from './bundle/import.ts';
export { importIntoArchive } from './bundle/importArchive.ts';
export { type NamingOptions } from './bundle/naming.ts';
export { parseNameMap, type Renaming } from './bundle/rename.ts';
export { receiveBundle, type ReceivedStream, type ReceiveOptions } from './bundle/receive.ts';
export { type AwaitedVolumes } from './bundle/volumesImport.ts';
export { decodeInventory, encodeInventory, takeInventory, type Inventory } from './bundle/inventory.ts';
export { Ledger, sentBy } from './bundle/ledger.ts';
export { makeReceipt, type Receipt, type RereadMode } from './bundle/receipt.ts';
export { parseReceipt, type ReadReceipt } from './bundle/receiptSchema.ts';
export { formatRequest, knownOfRequest, makeRequest } from './bundle/request.ts';
export { parseRequest, type BlobRequest } from './bundle/requestSchema.ts';
export { type Clock } from './core/clock.ts';
export { type Descriptor, type Platform } from './core/descriptor.ts';
export { type Digest } from './core/digest.ts';
export { OclError, type ErrorCode } from './core/errors.ts';
export { type Emit, type OclEvent } from './core/events.ts';
export { parseManifest, type Index, type Manifest, type ManifestDocument } from './core/manifest.ts';
export { formatPlatform, parsePlatform } from './core/platform.ts';
export { formatReference, parsePathReference, parseReference, type Reference } from './core/reference.ts';
export { type Editor, type Library, type LocalSource, type Sink, type Source, type Stores } from './core/store.ts';
export { checkStore, type CheckReport, type Finding } from './copy/check.ts';
export { Copier, type CopierOptions, type CopyRequest, type CopyResult } from './copy/copier.ts';
export { type Select } from './copy/select.ts';
export { createHttp } from './io/http.ts';
export { type Http } from './io/httpMessages.ts';
export { compileRewrite } from './io/pattern.ts';
export { Replay } from './io/replay.ts';
export { systemClock } from './io/systemClock.ts';
export { composePackageFile, composeRepositoryFile, type PackageFacts } from './mesh/artifactHub.ts';
export { lintPackageFile, lintRepositoryFile } from './mesh/artifactHubLint.ts';
export { repositoryArtifact, writeHubRepository } from './mesh/artifactHubRepository.ts';
export { writeHubPackage, type HubDesign, type HubOptions, type HubPackage } from './mesh/artifactHubTree.ts';
export { foldAdditionalProperties } from './mesh/additional.ts';
export { diffEntities, type MeshDiff } from './mesh/diff.ts';
export { type MeshFinding } from './mesh/finding.ts';
export { openImagePlace, ownRegistries, type ImagePlace } from './mesh/imagePlaces.ts';
export { openModelPlace, type ModelPlace } from './mesh/modelPlaces.ts';
export { fixText } from './mesh/fix.ts';
export { inspectEntity, inspectInput, type MeshInspected, type MeshInspection } from './mesh/inspect.ts';
export { listDisk, listRepository, type ListedEntity } from './mesh/list.ts';
export { requiredImages, requiredModels, type RequiredImage, type RequiredModel } from './mesh/requires.ts';
export { RULES, type FindingLevel, type RuleId } from './mesh/rules.ts';
export { openInputs, type InputOptions, type OpenedInput } from './mesh/validateInputs.ts';
export { validateFiles, type ValidateInput, type ValidateReport } from './mesh/validate.ts';
export { ENTITY_KINDS, type Entity, type EntityKind, type MeshFile } from './mesh/entity.ts';
export { entityRepository, entityTag } from './mesh/naming.ts';
export { packEntity, type PackedEntity, type PackOptions } from './mesh/pack.ts';
export { packEntities, type Packed, type PackIntoOptions } from './mesh/packInto.ts';
export { unpackEntities, type Unpacked, type UnpackOptions } from './mesh/unpack.ts';
export { judgeArchive, type Verdict } from './mesh/verdict.ts';
export { readEntities, type ReadOptions } from './mesh/read.ts';
export { readEntity } from './mesh/readOne.ts';
export { bumpFile, type Bumped, type BumpOptions } from './mesh/bump.ts';
export { bundleName, writeBundle, type BundleContents, type BundlePart, type MissingPart } from './mesh/bundle.ts';
export { bundledImages, deliverImages, type BundledImage } from './mesh/bundled.ts';
export { collectBundle, type CollectOptions } from './mesh/collect.ts';
export { deprecationsIn, stateDeprecation, type Deprecated } from './mesh/deprecate.ts';
export { type Published } from './mesh/publish.ts';
export { pushEntities, type PushOptions } from './mesh/push.ts';
export { relocateImages, type Relocated, type Relocation } from './mesh/relocate.ts';
export { openShelves, singleShelf, type Shelves, type ShelvesPlace } from './mesh/shelves.ts';
export { type NamedImage } from './scan/inputs/found.ts';
export { prepareInputs, type PrepareOptions, type ScanInputs } from './scan/inputs/prepare.ts';
export { SCANNERS, type ScannerName } from './scan/inputs/scanners.ts';
export { flatten, type Flattened, type FlattenOptions, type FlattenTarget } from './scan/rootfs/flatten.ts';
export { readDatabase, type Database } from './scan/db/database.ts';
export { databasesFor, findDatabases, type Candidate, type FoundDatabase } from './scan/db/find.ts';
export { DATABASES, type DatabaseKind } from './scan/db/kinds.ts';
export { offlineGrype, offlineTrivy, type OfflineUse } from './scan/db/offline.ts';
export { placeDatabase, type PlacedDatabase, type PlaceOptions } from './scan/db/place.ts';
export { attachResult, type AttachedResult, type ResultDocument } from './scan/results/attach.ts';
export { readResult, type ResultFacts } from './scan/formats.ts';
export { createRegistryHandler, type RegistryHandler } from './serve/handler.ts';
export { listen, type Listening } from './serve/listen.ts';
export { createMemory } from './stores/memory/store.ts';
export { anonymous, createCredentials, type Credentials } from './stores/registry/auth/credentials.ts';
export { createRegistries, type Registries } from './stores/registry/registries.ts';
export { createStores, type AllStores, type StoresOptions } from './stores.ts';
export { loadConfig, type LoadedConfig } from './sync/config.ts';
export { planSync, type PlannedJob } from './sync/plan.ts';
export { createPullBudget } from './sync/pulls/budget.ts';
export { runSync, type SyncReport } from './sync/run.ts';
