export const CATEGORIES = [
  'image',
  'bundle',
  'kubernetes',
  'policy',
  'signature',
  'attestation',
  'sbom',
  'report',
  'wasm',
  'model',
  'package',
  'module',
  'database',
  'cache',
  'disk',
  'design',
  'metadata',
  'other',
] as const;

export type Category = (typeof CATEGORIES)[number];

/** What is drawn on a field of 24 by 24 in strokes of the text's colour. Drawn for this project; no logos, which are trademarks. */
const DRAWINGS: Readonly<Record<Category, string>> = {
  image: '<path d="M12 3 21 8v8l-9 5-9-5V8zM3 8l9 5 9-5M12 13v8"/>',
  bundle: '<path d="M3 9h8v8H3zM13 9h8v8h-8zM8 3h8v6H8zM2 20h20"/>',
  kubernetes:
    '<circle cx="12" cy="12" r="7"/><circle cx="12" cy="12" r="2"/><path d="M12 2v8M12 14v8M2 12h8M14 12h8"/>',
  policy: '<path d="M12 3 20 6v6c0 5-3 8-8 9-5-1-8-4-8-9V6zM8 12l3 3 5-6"/>',
  signature: '<path d="M3 17c3-9 6-12 7-10s-4 9-1 9 3-6 5-6 0 5 2 5 2-2 5-2M3 21h18"/>',
  attestation: '<circle cx="12" cy="9" r="6"/><path d="m9 9 2 2 4-4M8 14l-2 7 6-3 6 3-2-7"/>',
  sbom: '<path d="M5 3h14v18H5zM9 8h6M9 12h6M9 16h6M7 8h.1M7 12h.1M7 16h.1"/>',
  report: '<path d="M5 3h14v18H5zM9 17v-4M12 17V8M15 17v-6"/>',
  wasm: '<path d="M7 3h10l5 9-5 9H7l-5-9zM8 9l1.5 6L12 10l2.5 5L16 9"/>',
  model:
    '<circle cx="5" cy="7" r="2"/><circle cx="5" cy="17" r="2"/><circle cx="12" cy="12" r="2"/><circle cx="19" cy="7" r="2"/><circle cx="19" cy="17" r="2"/><path d="m7 8 3 3M7 16l3-3M14 11l3-3M14 13l3 3"/>',
  package: '<path d="M3 7h18v14H3zM3 7l3-4h12l3 4M12 3v10M9 13h6"/>',
  module: '<path d="M4 8h5a3 3 0 1 1 6 0h5v5a3 3 0 1 0 0 5v3H4z"/>',
  database: '<ellipse cx="12" cy="5" rx="8" ry="3"/><path d="M4 5v14c0 2 4 3 8 3s8-1 8-3V5M4 12c0 2 4 3 8 3s8-1 8-3"/>',
  cache: '<circle cx="12" cy="12" r="9"/><path d="M12 6v6l4 3"/>',
  disk: '<rect x="3" y="4" width="18" height="16" rx="2"/><circle cx="12" cy="11" r="4"/><path d="M12 11h.1M7 17h10"/>',
  design: '<circle cx="7" cy="7" r="4"/><path d="M14 3h7v7h-7zM17 14l4 7h-8zM7 11v8h6M11 7h3"/>',
  metadata: '<path d="M3 12V3h9l9 9-9 9zM8 8h.1"/>',
  other: '<path d="M6 3h8l5 5v13H6zM14 3v5h5"/>',
};

/** A whole SVG. */
export function icon(category: Category): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">${DRAWINGS[category]}</svg>`;
}
