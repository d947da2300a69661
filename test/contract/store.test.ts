import { commitContract, sinkContract, sourceContract } from './store.contract.ts';

sourceContract('memory');
sourceContract('layout');
sourceContract('archive');
sourceContract('registry');

sinkContract('memory');
sinkContract('layout');
sinkContract('registry');

commitContract('memory');
commitContract('layout');
