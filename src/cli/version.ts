/** Put in by the bundler, so that the bundle is whole without package.json. */
declare const OCL_VERSION: string | undefined;

export const version: string = typeof OCL_VERSION === 'string' ? OCL_VERSION : 'development';
