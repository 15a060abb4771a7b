import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../../gateway/config/load.ts';
import { renderSample } from '../../../gateway/config/sample.ts';

const NOTHING = { environment: {}, overrides: new Map<string, string>() };

test('docs/qinling.conf.sample is what --print-config-sample prints', () => {
  const path = new URL('../../../../docs/qinling.conf.sample', import.meta.url);
  assert.equal(readFileSync(path, 'utf8'), renderSample());
});

test('the sample with every option switched on is the default configuration', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'qinling-sample-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const configFile = join(directory, 'qinling.conf');
  writeFileSync(configFile, renderSample().replace(/^# ([a-z_]+ =)/gm, '$1'));
  assert.deepEqual(loadConfig({ ...NOTHING, configFile }), loadConfig({ ...NOTHING, configFile: undefined }));
});
