import assert from 'node:assert/strict';
import { test } from 'node:test';
import { versionRoutes } from '../../../gateway/api/version-documents.ts';
import { startHttpServer } from '../../support/http-rig.ts';

test('a client that knows only our address finds the API', async (t) => {
  const { url } = await startHttpServer(t, versionRoutes());
  const get = async (path: string) => {
    const answer = await fetch(url + path, { redirect: 'error', headers: { 'X-Auth-Token': 'notused' } });
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/json']);
    return answer.json();
  };
  const links = [{ href: `${url}/v1`, target: 'v1', rel: 'self' }];
  assert.deepEqual(await get('/'), { versions: [{ id: 'v1.0', status: 'CURRENT', links }] });
  assert.deepEqual(await get('/v1'), { uri: `${url}/v1` });
  assert.deepEqual(await get('/v1/'), { uri: `${url}/v1` });
});
