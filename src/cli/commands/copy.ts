import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { type Descriptor } from '../../core/descriptor.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { originName, tagOf } from '../../core/names.ts';
import {
  formatReference,
  isTag,
  parseImageName,
  parseReference,
  wantedName,
  type FileReference,
  type Reference,
} from '../../core/reference.ts';
import { type RootName, type Source } from '../../core/store.ts';
import { Copier } from '../../copy/copier.ts';
import { type Select } from '../../copy/select.ts';
import { ownRepository } from '../../stores.ts';
import { spaceOption } from '../bundle/space.ts';
import { defineCommand } from '../command.ts';
import { warnOfBareName, warnOfCompressedName } from '../place.ts';
import { formatBytes } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { firstPlatform, selectOptions, toSelect } from '../select.ts';

export const copy = defineCommand(
  (cli) =>
    spaceOption(selectOptions(cli))
      .positional('source', { type: 'string', demandOption: true, describe: 'What is copied' })
      .positional('target', {
        type: 'string',
        demandOption: true,
        describe: 'Where it goes; the name of the source is kept when none is given',
      })
      .option('reverify', {
        type: 'boolean',
        default: false,
        describe: 'Hash files of other layouts instead of linking them on trust',
      })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'Ask for every part, although the target has the image',
      })
      .option('dry-run', { type: 'boolean', default: false, describe: 'Say what would be copied, and copy nothing' })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace an archive that exists' })
      .example('$0 copy alpine:3.20 ocidir://mirror/alpine:3.20', 'From Docker Hub into a layout')
      .example('$0 copy ocidir://mirror/alpine:3.20 registry.local:5000/alpine:3.20', 'From a layout into a registry')
      .example('$0 copy --platform linux/amd64 nginx:1.27 oci-archive:nginx.tar', 'One platform into a file')
      .example(
        '$0 copy nginx:1.27 docker-archive:nginx.tar',
        'As docker save writes it, for tools that read nothing else',
      ),
  async (args) => {
    const source = parseReference(args.source);
    const target = parseReference(args.target);
    await runCommand(
      args,
      {
        overwrite: args.overwrite,
        reverify: args.reverify,
        spaceCheck: args.spaceCheck,
        dockerPlatform: firstPlatform(args),
      },
      async (env) => {
        const { stores, clock, emit, signal } = env;
        for (const text of [args.source, args.target]) warnOfBareName(text, emit);
        if (target.kind !== 'registry' && target.kind !== 'layout') warnOfCompressedName(target.path, emit);
        const from = await stores.source(source);
        const root = await chosen(from, source);
        const to = await stores.sink(target);
        const select: Select = { ...toSelect(args), force: args.force };
        const request = {
          from,
          to,
          root,
          name: targetName(source, target, root),
          image: formatReference(source),
          select,
        };
        const copier = new Copier({ clock, emit, signal, concurrency: args.concurrency });
        if (args.dryRun) {
          const { current, nodes } = await copier.plan(request);
          const missing = nodes.filter(({ present }) => !present).map(({ descriptor }) => descriptor);
          const bytes = missing.reduce((sum, { size }) => sum + size, 0);
          if (env.json)
            env.print(
              JSON.stringify({
                type: 'plan',
                image: request.image,
                target: formatReference(target),
                current,
                nodes: nodes.length,
                missing: missing.length,
                bytes,
              }),
            );
          else
            env.print(
              current || missing.length === 0
                ? `${request.image}: nothing to copy`
                : `${request.image}: would copy ${missing.length} of ${nodes.length} parts, ${formatBytes(bytes)}`,
            );
          return;
        }
        const [result] =
          to.reserve === undefined ? [await copier.copy(request)] : await copier.copyReserved([request], to);
        await to.commit();
        if (env.json) env.print(JSON.stringify({ type: 'summary', ...result }));
        else env.print(result?.root.digest ?? root.digest);
      },
    );
  },
);

/** What is named, else `latest`, else the only image that a place on disk has. */
async function chosen(from: Source, source: Reference): Promise<Descriptor> {
  const wanted = wantedName(source);
  if (wanted !== undefined || source.kind === 'registry') return await from.resolve(wanted ?? 'latest');
  try {
    return await from.resolve('latest');
  } catch (error) {
    if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
    return await onlyRoot(from, undefined);
  }
}

/** The target's name, else the source's; a layout also learns where its content came from. */
function targetName(source: Reference, target: Reference, root: Descriptor): RootName {
  if (target.kind === 'docker-archive') return dockerName(source, target, root);
  const tag =
    target.tag ??
    (target.digest === undefined
      ? (source.tag ?? (source.digest === undefined ? ownTag(source, root) : undefined))
      : undefined);
  if (tag === undefined) return {};
  const imageName = target.kind === 'registry' ? undefined : originName(source, root, tag);
  return { tag, ...(imageName === undefined ? {} : { imageName }) };
}

/** The tag that an image has where it lies, if nobody named one. */
function ownTag(source: Reference, root: Descriptor): string {
  return source.kind === 'registry' ? 'latest' : (tagOf(root) ?? 'latest');
}

/** A docker archive knows full names only; what has no registry lies below `localhost`. */
function dockerName(source: Reference, target: FileReference, root: Descriptor): RootName {
  const given = target.tag === undefined ? undefined : parseImageName(target.tag);
  if (target.tag !== undefined && given?.digest === undefined && given !== undefined) {
    const tag = given.tag ?? 'latest';
    return { tag, imageName: formatReference({ ...given, tag }) };
  }
  if (target.tag !== undefined)
    throw new OclError(
      'OCL_REFERENCE_INVALID',
      `Cannot name the image ${JSON.stringify(target.tag)}: it is no NAME:TAG`,
    );
  const tag = source.tag ?? ownTag(source, root);
  const origin = originName(source, root, tag);
  if (origin !== undefined || source.kind === 'registry') return { tag, imageName: origin };
  return isTag(tag) ? { tag, imageName: `localhost/${ownRepository(source.path)}:${tag}` } : {};
}
