const URL_USERINFO = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;
const AUTH_SCHEME = /\b(basic|bearer)\s+[a-z0-9._~+/=-]{8,}/gi;
const QUERY_SECRET =
  /([?&](?:[a-z0-9_-]*(?:token|signature|sig|password|secret|credential|x-amz-[a-z-]+))=)[^&\s"']+/gi;

/** A text with the credentials of URLs, authorization values and signed query parameters taken out. */
export function redact(text: string): string {
  return text.replace(URL_USERINFO, '$1***@').replace(AUTH_SCHEME, '$1 ***').replace(QUERY_SECRET, '$1***');
}

/** A text from outside as it may be shown on a terminal: control and direction characters become visible escapes. */
export function printable(text: string): string {
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    const direction =
      (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    const loneSurrogate = code >= 0xd800 && code <= 0xdfff;
    out += control || direction || loneSurrogate || code === 0xfeff ? `\\u{${code.toString(16)}}` : char;
  }
  return out;
}
