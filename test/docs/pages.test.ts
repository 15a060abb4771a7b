import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderPages } from '../../docs/make/pages.ts';

test('the pages in docs/ are what the program says of itself', async () => {
  for (const [name, text] of Object.entries(await renderPages())) {
    const written = readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');
    assert.equal(written, text, `docs/${name} is out of date: npm run docs`);
  }
});
