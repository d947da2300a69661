import { posix } from 'node:path';
import { LIMITS } from '../../core/limits.ts';
import { type DirectoryNode } from './nodes.ts';

/**
 * The text of a symbolic link whose reader stays below the root, also a reader that knows no other root than the machine's: the text as
 * it is where it does so anyway, else one that leads from the link's own directory to the same place.
 *
 * A text stays inside when neither its letters nor the way through the other links of the tree ever go above the root. Other links do
 * not have to be looked into for that: each of them is treated in the same way. Where the way goes in a circle it is not known, for
 * another link of the circle may get another text: then nothing but letters counts, and no text may go up after a name.
 * @param path of the link, below the root
 */
export function insideText(root: DirectoryNode, path: string, target: string): string {
  const directory = path.split('/').slice(0, -1);
  const absolute = target.startsWith('/');
  const { place, left, circle } = resolve(root, absolute ? [] : directory, target);
  const unsure = left || (circle && goesUpAfterName(target));
  if (!absolute && !unsure && !leavesByLetters(directory.length, target)) return target;
  const from = `/${directory.join('/')}`;
  return posix.relative(from, circle ? posix.resolve(from, target) : `/${place.join('/')}`) || '.';
}

function goesUpAfterName(target: string): boolean {
  let named = false;
  for (const part of target.split('/')) {
    if (part === '..' && named) return true;
    named ||= part !== '' && part !== '.' && part !== '..';
  }
  return false;
}

function leavesByLetters(depth: number, target: string): boolean {
  let at = depth;
  for (const part of target.split('/')) {
    if (part === '..') at--;
    else if (part !== '' && part !== '.') at++;
    if (at < 0) return true;
  }
  return false;
}

interface Step {
  readonly name: string;
  /** Whether it stands in the text itself, and not in a link that it leads through. */
  readonly own: boolean;
}

/** Where a text leads as after `chroot`. The last component is not followed; what is not there is taken by its letters. */
function resolve(
  root: DirectoryNode,
  start: readonly string[],
  target: string,
): { readonly place: readonly string[]; readonly left: boolean; readonly circle: boolean } {
  const place: string[] = [];
  const nodes: (DirectoryNode | undefined)[] = [root];
  const enter = (name: string): void => {
    const node = nodes.at(-1)?.children.get(name);
    place.push(name);
    nodes.push(node?.kind === 'directory' ? node : undefined);
  };
  for (const name of start) enter(name);
  let left = false;
  let hops = 0;
  const ahead: Step[] = steps(target, true);
  for (let step = ahead.pop(); step !== undefined; step = ahead.pop()) {
    const { name, own } = step;
    if (name === '..') {
      if (place.length === 0) left ||= own;
      else {
        place.pop();
        nodes.pop();
      }
      continue;
    }
    const node = nodes.at(-1)?.children.get(name);
    if (node?.kind === 'symlink' && ahead.length > 0) {
      if (++hops > LIMITS.linkHops) return { place, left, circle: true };
      if (node.target.startsWith('/')) {
        place.length = 0;
        nodes.length = 1;
      }
      ahead.push(...steps(node.target, false));
    } else enter(name);
  }
  return { place, left, circle: false };
}

/** The first step last. */
function steps(text: string, own: boolean): Step[] {
  return text
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .map((name) => ({ name, own }))
    .toReversed();
}
