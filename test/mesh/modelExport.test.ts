import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { filesBelow, SAMPLES, sample, unpackTo } from './kit.ts';
import { openPlaces, type Places } from './places.ts';

let places: Places;
beforeAll(async () => {
  places = await openPlaces();
});
afterAll(async () => {
  await places.close();
});

it("gives back the files of a model from what Meshery's own code wrote", async () => {
  const file = join(SAMPLES, 'oci/meshkit-1.0.22-model-export.tar');
  const [model, ...others] = await unpackTo(places, file, places.path('model'));
  expect(others).toEqual([]);
  expect(model).toMatchObject({ kind: 'model', name: 'acme-widget', version: 'v1.0.0', notes: [] });
  const text = async (name: string): Promise<string> => (await sample(`minimal/${name}`)).toString('latin1');
  expect(await filesBelow(places.path('model'))).toEqual({
    'components/Widget.json': await text('component.v1beta1.json'),
    'model.json': await text('model.json'),
    'relationships/edge-abc.json': await text('relationship.v1beta2.json'),
  });
});
