import { type CheckReport, type Finding } from '../../copy/check.ts';
import { printable } from '../../core/redact.ts';
import { formatBytes, formatTable, plural } from './format.ts';

/** What a check found in one place, for people. */
export function describeCheck(name: string, report: CheckReport, bad: boolean): string {
  const { roots, blobs, bytes, unfinished, findings } = report;
  const rest = unfinished === 0 ? '' : `, ${plural(unfinished, 'unfinished transfer')}`;
  const line = `${name}: ${bad ? 'DAMAGED' : 'ok'}, ${plural(roots, 'root')}, ${plural(blobs, 'blob')}, ${formatBytes(bytes)} hashed${rest}`;
  return findings.length === 0 ? line : `${line}\n${describeFindings(findings)}`;
}

export function describeFindings(findings: readonly Finding[]): string {
  const rows = findings.map(({ kind, digest, size, entry, path, neededBy, message }) => [
    kind,
    digest ?? printable(`${path ?? ''} ${entry ?? ''}`.trim()),
    size === undefined ? '-' : formatBytes(size),
    printable(neededBy ?? '-'),
    printable(message),
  ]);
  return formatTable(['FINDING', 'DIGEST', 'SIZE', 'NEEDED BY', 'WHY'], rows);
}
