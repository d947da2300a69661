import { type Clue } from './match.ts';

const WORDS: Readonly<Record<Clue['by'], string>> = {
  artifactType: 'artifactType',
  config: 'config',
  layers: 'layer',
  entries: 'entry',
  annotations: 'annotation',
  layerAnnotations: 'annotation of a layer:',
  labels: 'label',
  os: 'operating system',
  history: 'history',
  configHas: 'config with',
  tag: 'tag',
  repository: 'repository',
  mediaType: 'media type',
  child: 'its first manifest',
  nothing: 'nothing is known of',
};
const LONGEST = 120;

/** What a type was told by, in one line: `annotation com.github.package.type=homebrew_bottle`. May hold a stranger's text. */
export function explain(evidence: readonly Clue[]): string {
  return evidence
    .map(({ by, name, value }) => {
      const short = value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value;
      return `${WORDS[by]} ${name === undefined ? '' : `${name}=`}${short}`.trim();
    })
    .join(', ');
}
