import { writeFileSync } from 'node:fs';
import { renderPages } from './pages.ts';

/** Writes what `docs/` has from the program. */
for (const [name, text] of Object.entries(await renderPages())) {
  writeFileSync(new URL(`../../../docs/${name}`, import.meta.url), text);
}
