import { commandOf } from '../actionsOf.ts';
import { MESH_ACTIONS } from '../mesh/actions.ts';

export const mesh = commandOf('mesh', MESH_ACTIONS, [
  '$0 mesh pack design.yml design.tar',
  'A design as a file that Meshery imports and OCI tools read',
]);
