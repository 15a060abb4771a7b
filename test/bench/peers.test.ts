import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ANSWER, callBody } from '../../bench/hello.ts';
import { SOURCE } from '../../bench/machine.ts';

interface PeerHello {
  readonly answerOf: (body: unknown) => unknown;
}

test('a peer answers the same call with the same hello, in as many bytes as it is told', async (t) => {
  t.after(() => delete process.env['ANSWER_BYTES']);
  process.env['ANSWER_BYTES'] = '431';
  const { answerOf } = (await import(pathToFileURL(`${SOURCE}/peers/hello.js`).href)) as PeerHello;

  const text = JSON.stringify(answerOf(JSON.parse(callBody('any'))));

  assert.equal(text.length, 431);
  assert.ok(text.includes(ANSWER));
});
