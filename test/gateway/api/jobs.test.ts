import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JobStatus } from '../../../gateway/store/job-store.ts';
import { collect } from '../../support/collect.ts';
import { jobRecord } from '../../support/store-records.ts';
import { NOW_MS, startTriggerServer } from '../../support/trigger-server.ts';

const UNKNOWN = '6f0b2b3c-9d3d-4d2b-8c7e-1f1f4a8b0a11';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SOON = '2026-01-15 10:21:30';
const TOO_SOON = 'Execution time must be at least 1 minute in the future.';

test('a job is created as the client sends it, and shown with all of its keys', async (t) => {
  const { sendJson, send, functionId } = await startTriggerServer(t);

  const { status, json } = await sendJson('POST', '/v1/jobs', {
    function_alias: null,
    function_id: functionId,
    function_version: null,
    name: null,
    first_execution_time: '2026-11-22 22:00:50.123456',
    pattern: null,
    function_input: null,
    count: null,
  });

  assert.equal(status, 201, JSON.stringify(json));
  assert.match(json['id'] as string, UUID);
  assert.deepEqual(Object.entries(json), [
    ['id', json['id']],
    ['name', null],
    ['function_id', functionId],
    ['function_alias', null],
    ['function_version', 0],
    ['function_input', null],
    ['status', 'running'],
    ['pattern', null],
    ['count', 1],
    ['first_execution_time', '2026-11-22T22:00:50Z'],
    ['next_execution_time', '2026-11-22T22:00:50Z'],
    ['project_id', 'default'],
    ['created_at', '2026-01-15T10:20:30Z'],
    ['updated_at', null],
  ]);
  assert.deepEqual((await send('GET', `/v1/jobs/${String(json['id'])}/`)).json, json);
  assert.deepEqual((await send('GET', '/v1/jobs')).json, { jobs: [json] });
});

test('a recurring job shows its first match, its count and its input', async (t) => {
  const { sendJson, functionId } = await startTriggerServer(t);
  const base = { function_id: functionId.toUpperCase(), pattern: '0 0 * * SUN', count: '3', function_version: '0' };

  const { json } = await sendJson('POST', '/v1/jobs', { ...base, name: 'n', function_input: '{"a":"ü"}' });

  assert.deepEqual(
    [json['function_id'], json['first_execution_time'], json['next_execution_time'], json['count'], json['pattern']],
    [functionId, '2026-01-18T00:00:00Z', '2026-01-18T00:00:00Z', 3, '0 0 * * SUN'],
  );
  assert.equal(json['function_input'], '{"a": "\\u00fc"}');
  const inputs = await Promise.all(
    ['text', '6', { a: 1 }, '', '[1]', '{"__function_input": "x", "y": 1}'].map(async (input) => {
      const answer = await sendJson('POST', '/v1/jobs', { ...base, function_input: input });
      return answer.json['function_input'];
    }),
  );
  assert.deepEqual(inputs, ['text', '6', '{"a": 1}', null, '[1]', 'x']);
});

test('status and next time of a new job are ignored', async (t) => {
  const { sendJson, functionId } = await startTriggerServer(t);
  const body = {
    function_id: functionId,
    first_execution_time: SOON,
    status: 'paused',
    next_execution_time: '2030-01-01',
  };

  const { status, json } = await sendJson('POST', '/v1/jobs', body);

  assert.deepEqual([status, json['status'], json['next_execution_time']], [201, 'running', '2026-01-15T10:21:30Z']);
});

const BAD_JOBS: readonly (readonly [
  what: string,
  fields: Record<string, unknown>,
  status: number,
  text: string | RegExp,
])[] = [
  [
    'for nothing',
    { function_id: null, pattern: '* * * * *' },
    400,
    'Either function_alias or function_id must be provided.',
  ],
  [
    'for an alias without a name',
    { function_id: null, function_alias: '', pattern: '* * * * *' },
    400,
    'Either function_alias or function_id must be provided.',
  ],
  [
    'for what is no id',
    { function_id: 'x', pattern: '* * * * *' },
    400,
    /^Invalid input for field\/attribute function_id\. Value: 'x'\. /,
  ],
  [
    'for an unknown function',
    { function_id: UNKNOWN, pattern: '* * * * *' },
    404,
    `Function not found [id=${UNKNOWN}]`,
  ],
  [
    'for an unknown alias',
    { function_alias: 'live', pattern: '* * * * *' },
    404,
    'FunctionAlias not found [name=live]',
  ],
  [
    'for an unknown version',
    { function_version: 7, pattern: '* * * * *' },
    404,
    /^FunctionVersion not found \[function_id=.*, version_number=7\]$/,
  ],
  [
    'of a negative version',
    { function_version: -1, pattern: '* * * * *' },
    400,
    /^Invalid input for field\/attribute function_version\./,
  ],
  ['without a time', {}, 400, 'pattern or first_execution_time must be specified.'],
  ['too soon', { first_execution_time: '2026-01-15 10:21:29' }, 400, TOO_SOON],
  ['in the past by its offset', { first_execution_time: '2026-01-15T12:21:29+02:00' }, 400, TOO_SOON],
  [
    'at a bare year',
    { first_execution_time: '2030' },
    400,
    /^Invalid input for field\/attribute first_execution_time\. Value: '2030'\. Value should be a time/,
  ],
  [
    'at a number',
    { first_execution_time: 1893456000 },
    400,
    /^Invalid input for field\/attribute first_execution_time\. Value: '1893456000'\./,
  ],
  ['at no time', { first_execution_time: '' }, 400, /^Invalid input for field\/attribute first_execution_time\./],
  [
    'of two runs at one time',
    { first_execution_time: SOON, count: 2 },
    400,
    'pattern must be provided if count is greater than 1.',
  ],
  ['of no run', { pattern: '* * * * *', count: 0 }, 400, 'count must be at least 1 if pattern is provided.'],
  [
    'of less than no run',
    { first_execution_time: SOON, count: -1 },
    400,
    /^Invalid input for field\/attribute count\. Value: '-1'\./,
  ],
  ['of half a run', { pattern: '* * * * *', count: 1.5 }, 400, /^Invalid input for field\/attribute count\./],
  ['with what is no pattern', { pattern: 'x' }, 400, 'The specified pattern is not valid: x'],
  ['with a pattern of other dialects', { pattern: '0 0 L * *' }, 400, 'The specified pattern is not valid: 0 0 L * *'],
  [
    'with a pattern that never matches',
    { pattern: '0 0 31 2 *' },
    400,
    'The specified pattern is not valid: 0 0 31 2 *',
  ],
  [
    'with a pattern that is too long',
    { pattern: '*'.repeat(256) },
    400,
    /^Invalid input for field\/attribute pattern\..* maximum length of 255\.$/,
  ],
  [
    'with a long name',
    { name: 'n'.repeat(256), pattern: '* * * * *' },
    400,
    /^Invalid input for field\/attribute name\./,
  ],
  [
    'with an id',
    { id: UNKNOWN, pattern: '* * * * *' },
    400,
    /^Invalid input for field\/attribute id\..* Cannot set read only field\.$/,
  ],
  [
    'with a project',
    { project_id: 'x', pattern: '* * * * *' },
    400,
    /^Invalid input for field\/attribute project_id\..* Cannot set read only field\.$/,
  ],
  ['with an unknown attribute', { cron: '* * * * *' }, 400, 'Unknown attribute for argument job: cron'],
];
test('a job that breaks a rule is refused', async (t) => {
  const { sendJson, send, functionId, serverFaults } = await startTriggerServer(t);
  for (const [what, fields, expected, text] of BAD_JOBS) {
    const { status, json, headers } = await sendJson('POST', '/v1/jobs', { function_id: functionId, ...fields });
    assert.equal(status, expected, `a job ${what}`);
    assert.deepEqual([json['faultcode'], json['debuginfo']], ['Client', null]);
    assert.equal(headers.get('content-type'), 'application/json');
    if (typeof text === 'string') assert.equal(json['faultstring'], text);
    else assert.match(json['faultstring'] as string, text);
  }
  const post = (body: string, type = 'application/json') =>
    send('POST', '/v1/jobs', { body, headers: { 'Content-Type': type } });
  const bodies = [
    await post(''),
    await post('{'),
    await post('[]'),
    await post('a=1', 'application/x-www-form-urlencoded'),
  ];
  assert.deepEqual(
    bodies.map(({ status, json }) => [status, json['faultstring']]),
    [
      [400, 'Missing argument: "job"'],
      [400, 'Request is not in valid JSON format'],
      [400, 'Request body must be a JSON object'],
      [400, 'Unknown argument: "a"'],
    ],
  );
  assert.equal((await post('{}', 'text/plain')).status, 415);
  assert.deepEqual((await send('GET', '/v1/jobs')).json, { jobs: [] });
  assert.deepEqual(serverFaults, []);
});

test('a job is changed as the client sends it', async (t) => {
  const { sendJson, functionId } = await startTriggerServer(t);
  const { json } = await sendJson('POST', '/v1/jobs', { function_id: functionId, pattern: '@hourly' });
  const path = `/v1/jobs/${String(json['id'])}`;
  const put = (fields: Record<string, unknown>) => sendJson('PUT', path, fields);

  const none = { name: null, status: null, pattern: null, next_execution_time: null, function_input: null };
  assert.deepEqual((await put(none)).json, json);
  const changed = await put({ ...none, name: 'new', status: 'paused', pattern: '0 12 * * *', function_input: 'x' });
  assert.equal(changed.status, 200);
  const { updated_at, ...rest } = changed.json;
  assert.equal(typeof updated_at, 'string');
  assert.deepEqual(rest, {
    ...Object.fromEntries(Object.entries(json).filter(([key]) => key !== 'updated_at')),
    name: 'new',
    status: 'paused',
    pattern: '0 12 * * *',
    next_execution_time: '2026-01-15T12:00:00Z',
    function_input: 'x',
  });
  const resumed = await put({ status: 'running', next_execution_time: '2026-01-15T13:00:00+02:00' });
  assert.deepEqual([resumed.json['status'], resumed.json['next_execution_time']], ['running', '2026-01-15T11:00:00Z']);
  const ignored = {
    count: 9,
    function_id: UNKNOWN,
    function_version: 9,
    function_alias: 'x',
    first_execution_time: 'x',
  };
  assert.deepEqual((await put(ignored)).json, resumed.json);
  const cancelled = await put({ status: 'cancelled' });
  assert.equal(cancelled.json['status'], 'cancelled');
  const late = await put({ name: 'x' });
  assert.deepEqual([late.status, late.json['faultstring']], [400, 'Can not update a finished job.']);
});

test('a change that breaks a rule is refused', async (t) => {
  const { sendJson, store } = await startTriggerServer(t);
  const paused = jobRecord({ status: JobStatus.Paused, nextExecutionAt: NOW_MS + 59_000 });
  const done = jobRecord({ status: JobStatus.Done });
  const often = jobRecord({ pattern: '@hourly' });
  for (const job of [paused, done, often]) await store.jobs.insert(job);
  const bad: readonly (readonly [id: string, body: Record<string, unknown>, status: number, text: string | RegExp])[] =
    [
      [done.id, { status: 'running' }, 400, 'Can not update a finished job.'],
      [done.id, {}, 400, 'Can not update a finished job.'],
      [paused.id, { pattern: '* * * * *' }, 400, 'Can not change job type.'],
      [often.id, { pattern: '' }, 400, 'Can not change job type.'],
      [often.id, { status: 'done' }, 400, 'Invalid status.'],
      [often.id, { status: 'canceled' }, 400, 'Invalid status.'],
      [often.id, { status: 1 }, 400, /^Invalid input for field\/attribute status\..* Wrong type\./],
      [often.id, { pattern: '* * *' }, 400, 'The specified pattern is not valid: * * *'],
      [often.id, { pattern: '0 0 30 2 *' }, 400, 'The specified pattern is not valid: 0 0 30 2 *'],
      [often.id, { next_execution_time: '2026-01-15T10:21:29Z' }, 400, TOO_SOON],
      [
        often.id,
        { next_execution_time: 'soon' },
        400,
        /^Invalid input for field\/attribute next_execution_time\. Value: 'soon'\./,
      ],
      [paused.id, { status: 'running' }, 400, TOO_SOON],
      [often.id, { created_at: 'x' }, 400, /Cannot set read only field\.$/],
      [often.id, { state: 'x' }, 400, 'Unknown attribute for argument job: state'],
      [UNKNOWN, { name: 'x' }, 404, `Job not found [id=${UNKNOWN}]`],
      ['x', { name: 'x' }, 400, "Invalid input for field/attribute id. Value: 'x'. Value should be UUID format."],
    ];
  for (const [id, body, expected, text] of bad) {
    const { status, json } = await sendJson('PUT', `/v1/jobs/${id}`, body);
    assert.equal(status, expected, JSON.stringify(body));
    if (typeof text === 'string') assert.equal(json['faultstring'], text);
    else assert.match(json['faultstring'] as string, text);
  }
  for (const job of [paused, done, often]) assert.deepEqual(await store.jobs.get(job.id, null), job);
});

test('a job of any status is deleted', async (t) => {
  const { send, store } = await startTriggerServer(t);
  for (const status of Object.values(JobStatus)) {
    const job = jobRecord({ status });
    await store.jobs.insert(job);
    const gone = await send('DELETE', `/v1/jobs/${job.id}`);
    assert.deepEqual([gone.status, gone.text], [204, '']);
    const missing = await send('GET', `/v1/jobs/${job.id}`);
    assert.deepEqual([missing.status, missing.json['faultstring']], [404, `Job not found [id=${job.id}]`]);
  }
  assert.equal((await send('DELETE', `/v1/jobs/${UNKNOWN}`)).status, 404);
  assert.equal((await send('DELETE', '/v1/jobs/x')).status, 400);
  assert.equal((await send('GET', '/v1/jobs/x')).status, 400);
});

test('a list holds every job in the order of creation, and takes no argument that is not declared', async (t) => {
  const { send, store } = await startTriggerServer(t);
  const jobs = Array.from({ length: 1_100 }, () => jobRecord());
  await Promise.all(jobs.map((job) => store.jobs.insert(job)));

  const { json } = await send('GET', '/v1/jobs?all_projects=true&project_id=x');

  assert.deepEqual(
    (json['jobs'] as { id: string }[]).map(({ id }) => id),
    jobs.map(({ id }) => id),
  );
  const refused = await send('GET', '/v1/jobs?status=running');
  assert.deepEqual([refused.status, refused.json['faultstring']], [400, 'Unknown argument: "status"']);
});

test('the finished jobs of a function go with it', async (t) => {
  const { send, store, functionId } = await startTriggerServer(t);
  const finished = [JobStatus.Done, JobStatus.Cancelled].map((status) => jobRecord({ functionId, status }));
  const other = jobRecord({ status: JobStatus.Done });
  for (const job of [...finished, other]) await store.jobs.insert(job);

  assert.equal((await send('DELETE', `/v1/functions/${functionId}`)).status, 204);

  assert.deepEqual(await collect(store.jobs.list({ scope: null, filters: [], limit: 9 })), [other]);
});
