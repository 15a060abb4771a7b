import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { findRuntimes, readDefinitions } from '../../agent/runtime-catalog.ts';
import { endPromises } from './language-host-ends.ts';
import { isolationPromises } from './language-host-isolation.ts';
import { languagePromises } from './language-host-languages.ts';
import { logPromises } from './language-host-logs.ts';
import { resultPromises } from './language-host-results.ts';
import { RUNTIMES, Rig } from './language-host-rig.ts';

/** What `runtimes/README.md` promises of every language, for every folder in `runtimes/`. */
const found = await findRuntimes(RUNTIMES, []);

for (const { definition } of readDefinitions(RUNTIMES)) {
  const runtime = found.find((candidate) => candidate.definition.name === definition.name);
  if (runtime === undefined) {
    const reason = `install ${definition.commands.join(' or ')}, of a version like ${definition.accept}`;
    test(`language host contract: ${definition.name}`, (t) => (isCi() ? assert.fail(reason) : t.skip(reason)));
    continue;
  }
  for (const mode of ['auto', 'none'] as const) {
    describe(`language host contract: ${definition.name}, isolation ${mode}`, () => {
      let rig: Rig;
      before(async () => {
        rig = await Rig.open(runtime, mode);
      });
      after(async () => {
        await rig.close();
        rig.removeFiles();
      });
      const theRig = () => rig;
      if (mode === 'auto') {
        resultPromises(theRig);
        logPromises(theRig);
        languagePromises[definition.name]?.(theRig);
      }
      endPromises(theRig);
      isolationPromises(theRig); // last: it closes the host and looks at what is left
    });
  }
}

function isCi(): boolean {
  return !['', 'false'].includes(process.env['CI'] ?? '');
}
