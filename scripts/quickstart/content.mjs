import { join } from 'node:path';
import { addChart } from './chart.mjs';
import { addDesign } from './design.mjs';
import { addImage } from './image.mjs';
import { filesBelow } from './layers.mjs';
import { Repository } from './pieces.mjs';
import { addSbom } from './sbom.mjs';
import { addSignature } from './signature.mjs';

/** All that the quick start's registry holds, made of the files in testdata/quickstart. */
export function makeContent(testdata, key) {
  const files = filesBelow(join(testdata, 'rootfs'));
  const hello = new Repository('demo/hello');
  const { index, images } = addImage(hello, '1.0.0', files);
  hello.tag('1.0.0', index);
  const referrers = [addSignature(hello, index, key), ...images.map((image) => addSbom(hello, '1.0.0', image))];

  // What the filter in sync.yaml leaves out is kept apart, to be looked for at the end.
  const unwanted = new Repository(hello.name);
  for (const tag of ['1.0.0-rc.1', 'nightly']) unwanted.tag(tag, addImage(unwanted, tag, files).index);

  const chart = new Repository('demo/charts/hello');
  addChart(chart, join(testdata, 'chart'));
  const design = new Repository('demo/designs/my-design');
  addDesign(design, join(testdata, 'design'));
  return { hello, index, referrers, wanted: [hello, chart, design], unwanted };
}
