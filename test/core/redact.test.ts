import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OclError, onSide, toOclError } from '../../src/core/errors.ts';
import { printable, redact } from '../../src/core/redact.ts';

describe('what is told to people', () => {
  it.each([
    ['https://user:hunter2@host/x failed', 'https://***@host/x failed'],
    ['https://hunter2@host/x', 'https://***@host/x'],
    ['Authorization: Basic aHVudGVyMjpodW50ZXIy', 'Authorization: Basic ***'],
    ['authorization: bearer hunter2.hunter2.hunter2', 'authorization: bearer ***'],
    ['https://s3/x?X-Amz-Signature=hunter2&y=1', 'https://s3/x?X-Amz-Signature=***&y=1'],
    ['https://s3/x?a=1&X-Amz-Credential=hunter2%2F1', 'https://s3/x?a=1&X-Amz-Credential=***'],
    ['https://x/?access_token=hunter2', 'https://x/?access_token=***'],
    ['https://x/?sig=hunter2"', 'https://x/?sig=***"'],
    ['nothing secret: user@example.com, http://host/a@b', 'nothing secret: user@example.com, http://host/a@b'],
  ])('holds no secrets: %s', (text, expected) => {
    expect(redact(text)).toBe(expected);
    expect(redact(expected)).toBe(expected);
    const error = new OclError('OCL_UNREACHABLE', text, { hint: text });
    expect([error.message, error.hint]).toEqual([expected, expected]);
    expect(onSide(toOclError(new Error(text)), 'source')).toMatchObject({ message: expected, side: 'source' });
  });

  it('moves no cursor and turns no text around', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const codes = [...printable(text)].map((letter) => letter.codePointAt(0) ?? 0);
        const between = (first: number, last: number): boolean => codes.some((code) => code >= first && code <= last);
        expect(between(0, 0x1f) || between(0x7f, 0x9f)).toBe(false);
        expect(between(0x200b, 0x200f) || between(0x202a, 0x202e) || between(0x2066, 0x2069)).toBe(false);
      }),
    );
    expect(printable('a\u001B[31m\u202Eb\n')).toBe('a\\u{1b}[31m\\u{202e}b\\u{a}');
    expect(printable('grüße 🌍')).toBe('grüße 🌍');
    expect(printable('\uD800')).toBe('\\u{d800}');
  });
});
