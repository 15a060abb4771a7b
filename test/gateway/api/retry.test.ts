import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRetry, renderRetry } from '../../../gateway/api/retry.ts';
import { QinlingError } from '../../../gateway/errors.ts';
import { startResourceServer } from '../../support/resource-server.ts';
import { zipOf } from '../../support/zip.ts';

const WHOLE = { max_attempts: 3, backoff: 0.5, backoff_rate: 1.5, max_backoff: 60 };
const PACKAGE = zipOf({ 'main.py': 'def main(): pass' });

test('a function has the policy that it was given, whole', async (t) => {
  const { sendForm, send, runtimeId } = await startResourceServer(t);
  const fields = { runtime_id: runtimeId, code: '{"source": "package"}', package: PACKAGE };
  const { status, json } = await sendForm('POST', '/v1/functions', { ...fields, retry: '{"max_attempts": 4}' });
  assert.deepEqual([status, json['retry']], [201, { max_attempts: 4, backoff: 1, backoff_rate: 2, max_backoff: 3600 }]);
  const shown = await send('GET', `/v1/functions/${String(json['id'])}`);
  assert.deepEqual(shown.json, json);
  const list = await send('GET', '/v1/functions');
  assert.deepEqual((list.json['functions'] as Record<string, unknown>[])[0]!['retry'], json['retry']);
});

test('a function without one shows none; one can be given, changed and taken away later', async (t) => {
  const { sendJson, create, changes } = await startResourceServer(t);
  const { id } = await create();
  const put = async (retry: unknown) => {
    const { status, json } = await sendJson('PUT', `/v1/functions/${id}`, { retry });
    assert.equal(status, 200);
    return json;
  };
  assert.equal('retry' in (await put(null)), false);
  assert.deepEqual((await put(WHOLE))['retry'], WHOLE);
  assert.deepEqual((await put(JSON.stringify({ ...WHOLE, max_attempts: 10 })))['retry'], {
    ...WHOLE,
    max_attempts: 10,
  });
  assert.deepEqual((await put(null))['retry'], { ...WHOLE, max_attempts: 10 });
  assert.equal('retry' in (await put({})), false);
  assert.ok(!changes.some((change) => change.endsWith('!')), 'its workers may stay');
});

test('a policy that is none is refused with the reason', async (t) => {
  const { sendJson, create } = await startResourceServer(t);
  const { id } = await create();
  const object = 'Wrong type. Expected a JSON object.';
  const attempts = 'max_attempts should be an integer, 1 to 10.';
  const cases: [unknown, string][] = [
    ['x', object],
    ['', object],
    [5, object],
    [[], object],
    ['null', object],
    ['[1]', object],
    [`{"max_attempts": 2${' '.repeat(1_000)}}`, 'Value should have a maximum length of 1000.'],
    [{ backoff: 1 }, attempts],
    [{ max_attempts: 0 }, attempts],
    [{ max_attempts: 11 }, attempts],
    [{ max_attempts: 1.5 }, attempts],
    [{ max_attempts: '2' }, attempts],
    [{ max_attempts: null }, attempts],
    [{ max_attempts: 2, backoff: -1 }, 'backoff should be a number, 0 to 3600.'],
    [{ max_attempts: 2, backoff_rate: 0.5 }, 'backoff_rate should be a number, 1 to 10.'],
    [{ max_attempts: 2, max_backoff: 86_401 }, 'max_backoff should be a number, 0 to 86400.'],
    [{ max_attempts: 2, jitter: 1 }, 'It holds max_attempts, backoff, backoff_rate, max_backoff and nothing else.'],
    [
      '{"max_attempts": 2, "__proto__": {}}',
      'It holds max_attempts, backoff, backoff_rate, max_backoff and nothing else.',
    ],
  ];
  for (const [retry, why] of cases) {
    const { status, json } = await sendJson('PUT', `/v1/functions/${id}`, { retry });
    const shown = (typeof retry === 'string' ? retry : JSON.stringify(retry)).slice(0, 100);
    const text = `Invalid input for field/attribute retry. Value: '${shown}'. ${why}`;
    assert.deepEqual([status, json['faultstring']], [400, text]);
  }
});

test('any JSON is a policy within its bounds, none, or refused', () => {
  const members = fc.constantFrom('max_attempts', 'backoff', 'backoff_rate', 'max_backoff', 'other');
  const near = fc.dictionary(members, fc.oneof(fc.integer({ min: -2, max: 12 }), fc.double(), fc.jsonValue()));
  const given = fc.oneof(
    near,
    near.map((value) => JSON.stringify(value)),
    fc.jsonValue(),
    fc.string(),
  );
  const property = fc.property(given, (value) => {
    try {
      const policy = parseRetry(value, 'retry');
      if (policy === null) return;
      assert.ok(Number.isInteger(policy.maxAttempts) && policy.maxAttempts >= 1 && policy.maxAttempts <= 10);
      assert.ok(policy.backoffSeconds >= 0 && policy.backoffSeconds <= 3_600);
      assert.ok(policy.backoffRate >= 1 && policy.backoffRate <= 10);
      assert.ok(policy.maxBackoffSeconds >= 0 && policy.maxBackoffSeconds <= 86_400);
      assert.deepEqual(parseRetry(renderRetry(policy), 'retry'), policy);
    } catch (error) {
      assert.ok(error instanceof QinlingError && error.code === 'INVALID_INPUT', String(error));
    }
  });
  fc.assert(property, { numRuns: 2_000 });
});
