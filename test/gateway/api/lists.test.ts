import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import {
  aliasRecord,
  executionRecord,
  finalRecord,
  functionRecord,
  runtimeRecord,
  versionRecord,
} from '../../support/store-records.ts';
import { startResourceServer, type Reply } from '../../support/resource-server.ts';
import { ExecutionStatus, type ExecutionStore } from '../../../gateway/store/store.ts';

const UNKNOWN = '0197f0c0-0000-7000-8000-0123456789ab';

const WITH_VERSIONS = '00000000-0000-4000-8000-000000000000';

type Rig = Awaited<ReturnType<typeof startResourceServer>>;

/** Lists, and how to fill them; `fill` resolves with the ids in their order. */
const LISTS: { key: string; path: string; fill: (rig: Rig, count: number) => Promise<string[]> }[] = [
  {
    key: 'functions',
    path: '/v1/functions',
    fill: async ({ store }, count) => {
      const records = Array.from({ length: count }, () => functionRecord());
      await Promise.all(records.map((record) => store.functions.insert(record)));
      return records.map(({ id }) => id);
    },
  },
  {
    key: 'executions',
    path: '/v1/executions',
    fill: async ({ store }, count) => {
      const records = Array.from({ length: count }, () => finalRecord());
      await Promise.all(records.map((record) => store.executions.insert(record, null)));
      return records.map(({ id }) => id);
    },
  },
  {
    key: 'function_aliases',
    path: '/v1/aliases',
    fill: async ({ store }, count) => {
      const records = Array.from({ length: count }, () => aliasRecord());
      await Promise.all(records.map((record) => store.aliases.insert(record)));
      return records.map(({ id }) => id);
    },
  },
  {
    key: 'function_versions',
    path: `/v1/functions/${WITH_VERSIONS}/versions`,
    fill: async ({ store }, count) => {
      const ids: string[] = [];
      const record = functionRecord({ id: WITH_VERSIONS });
      await store.functions.insert(record);
      for (let latestVersion = 0; latestVersion < count; latestVersion++) {
        const version = versionRecord({ ...record, latestVersion });
        await store.versions.insert(version);
        ids.push(version.id);
      }
      return ids;
    },
  },
  {
    key: 'function_aliases',
    path: '/v1/aliases',
    fill: async ({ store }, count) => {
      const records = Array.from({ length: count }, () => aliasRecord());
      for (const record of records) await store.aliases.insert(record);
      return records.map(({ id }) => id);
    },
  },
  {
    key: 'runtimes',
    path: '/v1/runtimes',
    fill: async ({ store, runtimeId }, count) => {
      const records = Array.from({ length: count - 1 }, () => runtimeRecord({ isPublic: true }));
      for (const record of records) await store.runtimes.insert(record);
      return [...records.map(({ id }) => id), runtimeId];
    },
  },
];

for (const { key, path, fill } of LISTS) {
  const idsOf = ({ json }: Reply) => (json[key] as { id: string }[]).map(({ id }) => id);

  test(`${key} are listed page by page where the caller asks, each once, by the URL that an answer names`, async (t) => {
    const rig = await startResourceServer(t);
    const ids = await fill(rig, 7);

    const listed: string[] = [];
    const pages: number[] = [];
    for (let next = `${path}?limit=3`; next !== '';) {
      const reply = await rig.send('GET', next);
      assert.equal(reply.status, 200, reply.text);
      listed.push(...idsOf(reply));
      pages.push(idsOf(reply).length);
      const url = reply.json['next'] as string | undefined;
      assert.ok(url === undefined || url.startsWith(`${rig.url}/v1/`), url);
      next = url?.slice(rig.url.length) ?? '';
    }

    assert.deepEqual(listed, ids);
    assert.deepEqual(pages, [3, 3, 1]);
  });

  test(`the last page of ${key} names no other, and a list without a limit is whole`, async (t) => {
    const rig = await startResourceServer(t);
    const ids = await fill(rig, 4);

    const exact = await rig.send('GET', `${path}?limit=4`);
    const more = await rig.send('GET', `${path}?limit=1000`);
    const whole = await rig.send('GET', path);
    const rest = await rig.send('GET', `${path}?marker=${ids[1]}`);
    const beyond = await rig.send('GET', `${path}/?limit=2&marker=${ids[3]}`);

    assert.deepEqual([idsOf(exact), idsOf(more), idsOf(whole)], [ids, ids, ids]);
    assert.deepEqual([idsOf(rest), idsOf(beyond)], [ids.slice(2), []]);
    for (const { json } of [exact, more, whole, rest, beyond]) assert.deepEqual(Object.keys(json), [key]);
  });

  test(`a marker that is no record of the list of ${key} is refused`, async (t) => {
    const rig = await startResourceServer(t);
    await fill(rig, 1);

    const { status, json } = await rig.send('GET', `${path}?limit=1&marker=${UNKNOWN}`);

    const faultstring = `There is no record with the id of the marker, ${UNKNOWN}.`;
    assert.deepEqual([status, json], [400, { faultcode: 'Client', faultstring, debuginfo: null }]);
    for (const query of ['limit=0', 'limit=1001', 'limit=many', 'marker=x', 'limit=1&limit=1', 'offset=1']) {
      assert.equal((await rig.send('GET', `${path}?${query}`)).status, 400, query);
    }
  });
}

test('the URL of the next page keeps the filters, and the path as it was asked for', async (t) => {
  const { send, store, url } = await startResourceServer(t);
  const records = [
    finalRecord({ description: 'a b' }),
    finalRecord({ description: 'other' }),
    finalRecord({ description: 'a b c' }),
    executionRecord({ description: 'a b d', status: ExecutionStatus.Running }),
  ];
  for (const record of records) await store.executions.insert(record, null);
  const filters = 'description=has:a%20b&status=in:success,running';

  const first = await send('GET', `/v1//executions/?marker=${records[0]!.id}&limit=1&${filters}`);
  const next = first.json['next'] as string;
  const second = await send('GET', next.slice(url.length));

  assert.equal(next, `${url}/v1//executions/?limit=1&${filters}&marker=${records[2]!.id}`);
  assert.deepEqual(
    (second.json['executions'] as { id: string }[]).map(({ id }) => id),
    [records[3]!.id],
  );
  assert.equal(second.json['next'], undefined);
});

test('every operator on every declared argument of executions is heard', async (t) => {
  const { send, store } = await startResourceServer(t);
  const [a, b, c] = [
    finalRecord({ functionId: UNKNOWN, description: 'Created by Job 1' }),
    finalRecord({ functionId: '1197f0c0-0000-7000-8000-0123456789ab', status: ExecutionStatus.Failed }),
    executionRecord({ functionId: '2197f0c0-0000-7000-8000-0123456789ab', description: '100% sure, or_not' }),
  ];
  for (const record of [a, b, c]) await store.executions.insert(record, null);
  const expected: [string, { id: string }[]][] = [
    ['', [a, b, c]],
    [`function_id=${a.functionId}`, [a]],
    [`function_id=eq:${a.functionId}`, [a]],
    [`function_id=neq:${a.functionId}`, [b, c]],
    [`function_id=gt:${b.functionId}`, [c]],
    [`function_id=gte:${b.functionId}`, [b, c]],
    [`function_id=lt:${b.functionId}`, [a]],
    [`function_id=lte:${b.functionId}`, [a, b]],
    [`function_id=in:${a.functionId},${c.functionId}`, [a, c]],
    [`function_id=nin:${a.functionId},${c.functionId}`, [b]],
    ['function_id=has:2197', [c]],
    ['status=success', [a]],
    ['status=neq:success', [b, c]],
    ['status=gt:failed', [a, c]],
    ['status=gte:running', [a, c]],
    ['status=lt:running', [b]],
    ['status=lte:failed', [b]],
    ['status=in:failed,running', [b, c]],
    ['status=nin:failed,error', [a, c]],
    ['status=has:uc', [a]],
    ['status=Success', []],
    ['description=Created+by+Job+1', [a]],
    ['description=neq:Created by Job 1'.replaceAll(' ', '%20'), [b, c]],
    ['description=has:100%25', [c]],
    ['description=has:%25', [c]],
    ['description=has:_', [c]],
    ['description=has:created', []],
    ['description=in:Created%20by%20Job%201,100%25%20sure%2C%20or_not', [a, c]],
    ['description=nin:100%25%20sure%2C%20or_not', [a, b]],
    ['description=gt:2', [a]],
    ['description=gte:100%25%20sure%2C%20or_not', [a, c]],
    ['description=lt:2', [c]],
    ['description=lte:100', []],
    ['status=neq:success&description=has:sure', [c]],
    ['status=success&status=failed', []],
  ];
  for (const [query, records] of expected) {
    const { status, json, text } = await send('GET', `/v1/executions?${query}`);
    assert.equal(status, 200, `${query}: ${text}`);
    const found = (json['executions'] as { id: string }[]).map(({ id }) => id);
    assert.deepEqual(
      found,
      records.map(({ id }) => id),
      query,
    );
  }
});

test('a list goes no further than its reader does, and comes whole in the end', async (t) => {
  const { url, store } = await startResourceServer(t);
  const output = JSON.stringify('x'.repeat(20_000));
  const records = Array.from({ length: 2_000 }, () => finalRecord({ output }));
  await Promise.all(records.map((record) => store.executions.insert(record, null)));
  const chunks = countChunks(store.executions);

  const response = await open(`${url}/v1/executions`);
  response.pause();
  const whenPaused = await chunks.settled();
  const parts: Buffer[] = [];
  for await (const part of response) {
    parts.push(part as Buffer);
    if (parts.length % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1)); // slower than it is sent
  }

  const { executions } = JSON.parse(Buffer.concat(parts).toString()) as { executions: { id: string }[] };
  assert.ok(whenPaused < chunks.count() / 2, `${whenPaused} of ${chunks.count()} chunks for nobody`);
  assert.deepEqual(
    executions.map(({ id }) => id),
    records.map(({ id }) => id),
  );
});

/** Counts the chunks that are asked of a store's lists. */
function countChunks(store: ExecutionStore) {
  let count = 0;
  const list = store.list.bind(store);
  store.list = async function* counted(page) {
    for await (const chunk of list(page)) {
      count++;
      yield chunk;
    }
  };
  /** Resolves with the count, once it has stood still for long. */
  const settled = async (): Promise<number> => {
    for (let before = -1; before !== count;) {
      before = count;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    return count;
  };
  return { count: () => count, settled };
}

function open(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, resolve).on('error', reject);
  });
}
