import { type HttpResponse } from '../../io/httpMessages.ts';

export interface Answer extends HttpResponse {
  /** Where it came from, after redirects. */
  readonly url: URL;
}
