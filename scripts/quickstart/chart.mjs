import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { filesBelow, gzipOf, tarOf } from './layers.mjs';
import { MANIFEST } from './pieces.mjs';

/** A Helm chart as `helm push` keeps it: the packed folder, and Chart.yaml as the config. Its version is the tag. */
export function addChart(repository, folder) {
  const chart = parse(readFileSync(join(folder, 'Chart.yaml'), 'utf8'));
  const layer = gzipOf(tarOf(filesBelow(folder, `${chart.name}/`)));
  const manifest = repository.document(
    {
      config: repository.blob(JSON.stringify(chart), 'application/vnd.cncf.helm.config.v1+json'),
      layers: [repository.blob(layer, 'application/vnd.cncf.helm.chart.content.v1.tar+gzip')],
      annotations: {
        'org.opencontainers.image.title': chart.name,
        'org.opencontainers.image.version': chart.version,
        'org.opencontainers.image.description': chart.description,
        'org.opencontainers.image.url': chart.home,
        'org.opencontainers.image.created': '2026-01-01T00:00:00Z',
      },
    },
    MANIFEST,
  );
  repository.tag(chart.version, manifest);
}
