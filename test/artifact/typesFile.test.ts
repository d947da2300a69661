import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { typesJsonSchema } from '../../src/artifact/types/schema.ts';
import { builtInTypes } from '../../src/artifact/types/table.ts';

it('the types that are built in are a file that its own schema takes', () => {
  const validate = new Ajv2020({ strict: false }).compile(typesJsonSchema());
  validate({ types: builtInTypes() });
  expect(validate.errors).toBeNull();
});

it('the schemas of configs are schemas', () => {
  const ajv = new Ajv2020({ strict: false });
  const schemas = builtInTypes()
    .map(({ configSchema }) => configSchema)
    .filter((schema) => schema !== undefined);
  expect(schemas.map((schema) => typeof ajv.compile(schema))).toEqual(schemas.map(() => 'function'));
});
