import { commandOf } from '../actionsOf.ts';
import { CNAB_ACTIONS } from '../cnab/actions.ts';

export const cnab = commandOf('cnab', CNAB_ACTIONS, [
  '$0 cnab relocate shop.tgz registry.local:5000/shop:1.0',
  'A thick bundle into a registry behind the gap',
]);
