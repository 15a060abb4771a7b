import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { startExecutionServer } from '../support/execution-server.ts';

const RUNS = 1_500;
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';
/** Stand for ids that the test knows. */
const FUNCTION_ID = '<function>';
const RUNTIME_ID = '<runtime>';

const NAMES = [
  'id name description image is_public trusted status runtime_id code package md5sum entry cpu memory_size timeout',
  'count latest_version project_id created_at updated_at function_id function_version function_alias input sync result',
  'output version_number pattern first_execution_time next_execution_time function_input webhook_url retry wait',
  '__proto__ constructor toString',
].flatMap((line) => line.split(' '));

const TEXTS = [
  '',
  ' ',
  'x',
  'main.main',
  'true',
  '1',
  '-1',
  '0',
  '1e400',
  '99999999999999999999',
  'a\0b',
  '\ud800',
  '🙂ü',
  'x'.repeat(300),
  'python',
  'default',
  '2099-01-01T00:00:00Z',
  '2099-13-45 99:99:99',
  '* * * * *',
  '@hourly',
  '0 0 31 2 *',
  '{"a": 1}',
  '{"__function_input": [1, "b"]}',
  `{"__function_input": ${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
  '{"source": "package"}',
  '{"image": "x"}',
  '{"__proto__": {"a": 1}}',
  '[]',
  'null',
  '{',
  UNKNOWN_ID,
  FUNCTION_ID,
  RUNTIME_ID,
];

const text = fc.constantFrom(...TEXTS);
const quoted = text.map((value) => JSON.stringify(value));
const scalar = fc.oneof(
  { weight: 4, arbitrary: quoted },
  fc.constantFrom('null', 'true', 'false', '0', '1', '-1', '1.5', '1e400', '9007199254740993', '[]', '{}'),
);
const nested = fc.oneof(
  fc.array(scalar, { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
  fc
    .array(fc.tuple(quoted, scalar), { maxLength: 3 })
    .map((pairs) => `{${pairs.map((pair) => pair.join(':')).join(',')}}`),
  fc.constantFrom(...[600, 20_000].map((depth) => '['.repeat(depth) + ']'.repeat(depth))),
);
const attribute = fc.tuple(
  fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...NAMES) }, text),
  fc.oneof({ weight: 6, arbitrary: scalar }, nested),
);
/** JSON text, so that it may hold what no value of ours does: a name twice, numbers beyond ours. */
const object = fc
  .array(attribute, { maxLength: 6 })
  .map((pairs) => `{${pairs.map(([name, json]) => `${JSON.stringify(name)}: ${json}`).join(', ')}}`);
const garbage = fc.oneof(object, fc.constantFrom('', '{', '[]', 'null', '"x"', '1', '{"a":1}x'));

const PATHS = [
  ...['runtimes', 'functions', 'executions', 'jobs', 'webhooks', 'aliases'].flatMap((name) => [
    `/v1/${name}`,
    `/v1/${name}/<id>`,
  ]),
  '/v1/runtimes/<id>/pool',
  '/v1/functions/<id>/versions',
  '/v1/functions/<id>/versions/<n>',
  '/v1/functions/<id>/workers',
  '/v1/functions/<id>/scale_up',
  '/v1/functions/<id>/scale_down',
  '/v1/functions/<id>/detach',
  '/v1/executions/<id>/log',
  '/v1/executions/<id>/redrive',
  '/v1/webhooks/<id>/invoke',
];
const id = fc.constantFrom(FUNCTION_ID, FUNCTION_ID, RUNTIME_ID, UNKNOWN_ID, 'x', '%00', '%ff', 'a%2Fb', 'a', '..');
const path = fc
  .tuple(fc.constantFrom(...PATHS), id, fc.constantFrom('0', '1', '-1', 'x', '99999999999999999999'))
  .map(([pattern, one, n]) => pattern.replace('<id>', one).replace('<n>', n));
const query = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc.constantFrom(
    '?download=true',
    '?limit=1',
    '?limit=0',
    '?marker=x',
    '?all_projects=true',
    '?status=in:a,b',
    '?wait=0',
    '?wait=x',
  ),
);
const strange = fc.record({
  method: fc.constantFrom('POST', 'PUT', 'GET', 'DELETE'),
  path: fc.tuple(path, query).map((parts) => parts.join('')),
  type: fc.constantFrom(
    ...Array<string>(5).fill('application/json'),
    'application/x-www-form-urlencoded',
    'text/plain',
    '',
  ),
  body: garbage,
});

/** Requests that work, and the attributes that a caller may add to them. */
const GOOD: readonly (readonly [method: string, path: string, body: string, names: string])[] = [
  ['POST', '/v1/executions', `"function_id": "${FUNCTION_ID}"`, 'function_version input sync description'],
  ['POST', '/v1/executions', `"function_id": "${FUNCTION_ID}", "sync": false`, 'input description function_alias'],
  ['POST', '/v1/runtimes', '"image": "x"', 'name description is_public trusted image'],
  ['PUT', `/v1/runtimes/${RUNTIME_ID}`, '"name": "python"', 'name description image is_public'],
  ['PUT', `/v1/functions/${FUNCTION_ID}`, '"name": "f"', 'description entry cpu memory_size timeout code md5sum retry'],
  ['POST', `/v1/functions/${FUNCTION_ID}/versions`, '"description": "v"', 'description'],
  ['POST', '/v1/aliases', `"name": "a", "function_id": "${FUNCTION_ID}"`, 'name description function_version'],
  ['PUT', '/v1/aliases/a', '"description": "a"', 'description function_version function_id name'],
  [
    'POST',
    '/v1/jobs',
    `"function_id": "${FUNCTION_ID}", "first_execution_time": "2099-01-01T00:00:00Z"`,
    'name pattern function_input count first_execution_time function_version function_alias',
  ],
  ['POST', '/v1/webhooks', `"function_id": "${FUNCTION_ID}"`, 'description function_version function_alias'],
];
const good = fc
  .tuple(
    fc.constantFrom(...GOOD),
    fc.array(fc.tuple(fc.nat(), fc.oneof({ weight: 6, arbitrary: scalar }, nested)), { maxLength: 2 }),
  )
  .map(([[method, address, members, names], more]) => {
    const choice = names.split(' ');
    const others = more.map(([index, json]) => `, "${choice[index % choice.length]}": ${json}`);
    return { method, path: address, type: 'application/json', body: `{${members}${others.join('')}}` };
  });
const request = fc.oneof(strange, { weight: 2, arbitrary: good });

const LISTS = ['runtimes', 'functions', 'executions', 'jobs', 'webhooks', 'aliases'];

test('no request does harm: each is answered as the contract says, and all that is kept can be shown', async (t) => {
  const { agent, orchestrator, create, runtimeId, send, sendJson, serverFaults, callFaults, faults } =
    await startExecutionServer(t);
  orchestrator.poolName = () => 'pool-of-python'; // whatever image a request gives the runtime
  const met = new Set<string>();
  agent.runs = (invoke) => agent.result(invoke);
  let { id: functionId } = await create();
  assert.equal((await sendJson('POST', '/v1/aliases', { name: 'a', function_id: functionId })).status, 201);
  const known = (given: string) => given.replaceAll(FUNCTION_ID, functionId).replaceAll(RUNTIME_ID, runtimeId);

  const property = fc.asyncProperty(request, async ({ method, path: address, type, body: content }) => {
    const headers: Record<string, string> = type === '' ? {} : { 'Content-Type': type };
    const init = method === 'GET' ? { headers } : { headers, body: known(content) };
    const answer = await send(method, known(address), init);
    assert.ok(answer.status < 500, `${answer.status} ${answer.text}`);
    if (answer.status < 300) met.add(`${method} ${address.split('/')[2]}`);
    if (answer.status >= 400) {
      assert.deepEqual(Object.keys(answer.json), ['faultcode', 'faultstring', 'debuginfo'], answer.text);
      assert.doesNotMatch(answer.text, /SQLITE|constraint|node:|\.ts:\d/i);
    }
    if ((await send('GET', `/v1/functions/${functionId}`)).status === 404) functionId = (await create()).id;
  });
  await fc.assert(property, { numRuns: RUNS });

  for (const name of LISTS) {
    const { status, json, text: shown } = await send('GET', `/v1/${name}`);
    assert.equal(status, 200, shown);
    const [listed] = Object.values(json) as { id: string; name?: string }[][];
    for (const one of listed!) {
      const key = name === 'aliases' ? encodeURIComponent(one.name!) : one.id;
      assert.equal((await send('GET', `/v1/${name}/${key}`)).status, 200, `${name} ${key}`);
    }
  }
  assert.deepEqual([serverFaults, callFaults, faults], [[], [], []]);
  for (const [method, address] of GOOD) {
    if (address.startsWith('/v1/aliases')) continue; // a function's version has one alias: chance may leave no more
    assert.ok(met.has(`${method} ${address.split('/')[2]}`), `${method} ${address}`);
  }
});
