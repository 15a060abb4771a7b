import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { basic, knownUser, writeCredentials } from '../support/credentials.ts';
import { makeFolder, Run, Server, serverEnvironment } from '../support/server.ts';
import { hasPrograms, runProgram } from '../support/tools.ts';
import { zipOf } from '../support/zip.ts';

const MAIN = fileURLToPath(new URL('../../gateway/main.js', import.meta.url));

/** Runs a word of the command line; resolves with what it prints. */
async function program(word: string, input = ''): Promise<string> {
  const child = execFile(process.execPath, [MAIN, word]);
  let printed = '';
  child.stdout!.on('data', (text: string) => (printed += text));
  child.stdin!.end(input);
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0);
  return printed;
}

async function start(t: TestContext, environment: Record<string, string> = {}) {
  const { path: folder } = makeFolder(t);
  const alice = knownUser('alice', 'one');
  const root = knownUser('root', 'ops', 'admin');
  const credentials = await writeCredentials(folder, [alice, root]);
  const server = await Server.start(t, folder, {
    environment: {
      QINLING_API_HOST: '127.0.0.1',
      QINLING_AUTH_TYPE: 'static',
      QINLING_AUTH_CREDENTIALS_FILE: credentials,
      ...environment,
    },
  });
  const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: FormData | string) =>
    fetch(server.url + path, { method, headers, ...(body === undefined ? {} : { body }) });
  return { folder, server, ask, alice, root, credentials };
}

describe('the service with users of its own', () => {
  test('is set up as its documentation says: hash, token, file, start', async (t) => {
    const { path: folder } = makeFolder(t);
    const hash = (await program('hash-password', 'correct horse\n')).trim();
    const [, token = '', tokenHash = ''] = /^token: (\S+)\nhash: {2}(\S+)\n$/.exec(await program('new-token')) ?? [];
    const file = join(folder, 'users.yaml');
    const users = `users:
  - name: alice
    project: demo
    password: ${hash}
  - name: ci
    project: demo
    roles: [member, deployer]
    tokens: ['${tokenHash}']
`;
    writeFileSync(file, users, { mode: 0o600 });
    const policy = join(folder, 'policy.yaml');
    writeFileSync(policy, 'function:create: role:deployer and rule:owner\n');
    const config = join(folder, 'qinling.conf');
    writeFileSync(
      config,
      `[api]\nhost = 127.0.0.1\n[auth]\ntype = static\ncredentials_file = ${file}\n[oslo_policy]\npolicy_file = ${policy}\n`,
    );
    const { url, run } = await Server.start(t, folder, { args: ['--config-file', config] });

    const status = async (method: string, path: string, headers: Record<string, string>) =>
      (await fetch(url + path, { method, headers })).status;
    assert.equal(await status('GET', '/v1/functions', {}), 401);
    assert.equal(await status('GET', '/v1/functions', { 'X-Auth-Token': token }), 200);
    assert.equal(await status('GET', '/v1/functions', { Authorization: basic('alice', 'correct horse') }), 200);
    assert.equal(await status('POST', '/v1/functions', { Authorization: basic('alice', 'correct horse') }), 403);
    assert.equal(
      await status('POST', '/v1/functions', { 'X-Auth-Token': token }),
      400,
      'allowed, but nothing was sent',
    );
    for (const path of ['/', '/v1', '/v1/']) assert.equal(await status('GET', path, {}), 200);
    assert.equal(await status('OPTIONS', '/v1/functions', {}), 200);
    assert.doesNotMatch(run.stderr, /WITHOUT AUTHENTICATION/);
  });

  test('tells all faults of its files at once, and does not start', async (t) => {
    const { path: folder } = makeFolder(t);
    const [users, policy] = [join(folder, 'users.yaml'), join(folder, 'policy.yaml')];
    writeFileSync(users, 'users:\n  - {name: alice, project: demo, password: hunter2}\n  - {name: bob}\n');
    writeFileSync(policy, 'function:crate: "!"\ndefault: rule:nobody\n');
    const run = new Run(t, [], {
      ...serverEnvironment(folder),
      QINLING_AUTH_TYPE: 'static',
      QINLING_AUTH_CREDENTIALS_FILE: users,
      QINLING_OSLO_POLICY_POLICY_FILE: policy,
    });
    assert.equal(await run.ended, 2);
    assert.deepEqual(run.stderr.replaceAll(folder, 'FOLDER').trim().split('\n'), [
      'qinling: FOLDER/policy.yaml: function:crate: there is no such operation',
      "qinling: FOLDER/policy.yaml: default: there is no rule 'nobody'",
      'qinling: FOLDER/users.yaml: users[0] (alice): password: must be a hash, as hash-password prints it',
      'qinling: FOLDER/users.yaml: users[1] (bob): project: must be text of 1 to 80 characters',
      'qinling: FOLDER/users.yaml: users[1] (bob): has neither a password nor tokens',
    ]);
  });

  test('reads its users again when it is told to', async (t) => {
    const { ask, alice, root, folder, server } = await start(t);
    assert.equal((await ask('GET', '/v1/jobs-or-not', { 'X-Auth-Token': alice.token })).status, 404);
    await writeCredentials(folder, [root]);
    server.run.send('SIGHUP');
    await server.run.logged(/was read again/);
    assert.equal((await ask('GET', '/v1/functions', { 'X-Auth-Token': alice.token })).status, 401);
    assert.equal((await ask('GET', '/v1/functions', { 'X-Auth-Token': root.token })).status, 200);
    await server.stop();
  });

  test('repeats no secret: not in an answer, not in its log', async (t) => {
    const { ask, server } = await start(t, { QINLING_DEFAULT_LOG_LEVEL: 'trace' });
    const wrong: Record<string, string>[] = [
      { 'X-Auth-Token': 'hunter2' },
      { Authorization: basic('alice', 'hunter2') },
    ];
    for (const headers of wrong) {
      const answer = await ask('GET', '/v1/functions', headers);
      assert.equal(answer.status, 401);
      assert.equal(answer.headers.get('www-authenticate'), 'Basic realm="Qinling", charset="UTF-8"');
      const shown = JSON.stringify([...answer.headers]) + (await answer.text());
      assert.doesNotMatch(shown, /hunter2|aHVudGVy|YWxpY2U6/);
    }
    await server.stop();
    assert.doesNotMatch(server.run.stdout + server.run.stderr, /hunter2|YWxpY2U6/);
  });

  test('lets no foreign page use the password that a browser remembers', async (t) => {
    const { ask, alice } = await start(t);
    const password = { Authorization: basic('alice', alice.password) };
    const page = { Origin: 'http://evil.example' };
    const refused = await ask('POST', '/v1/functions', { ...password, ...page });
    assert.deepEqual([refused.status, /This origin is not allowed/.test(await refused.text())], [403, true]);
    assert.equal((await ask('POST', '/v1/functions', password)).status, 400);
    assert.equal((await ask('POST', '/v1/functions', { 'X-Auth-Token': alice.token, ...page })).status, 400);
    assert.equal((await ask('POST', '/v1/functions', page)).status, 401);
  });

  test('is reached by any name of its host, for it asks who it is', async (t) => {
    if (!hasPrograms(t, { curl: 'curl' })) return;
    const { server, alice } = await start(t);
    const args = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '-H', 'Host: qinling.example'];
    const { stdout } = await runProgram('curl', [
      ...args,
      '-H',
      `X-Auth-Token: ${alice.token}`,
      `${server.url}/v1/functions`,
    ]);
    assert.equal(stdout, '200');
  });

  test('takes uploads of users whose password it must still check', async (t) => {
    if (!hasPrograms(t, { curl: 'curl' })) return;
    const { server, alice, root, folder } = await start(t);
    const runtimes = (await (
      await fetch(`${server.url}/v1/runtimes`, { headers: { 'X-Auth-Token': root.token } })
    ).json()) as { runtimes: { id: string; name: string }[] };
    const runtimeId = runtimes.runtimes.find(({ name }) => name === 'python3')!.id;
    const archive = zipOf({ 'main.py': 'def main(): pass\n', 'large.bin': 'x'.repeat(3_000_000) });
    const path = join(folder, 'package.zip');
    writeFileSync(path, archive);
    const form = ['-F', `runtime_id=${runtimeId}`, '-F', 'code={"source": "package"}', '-F', `package=@${path}`];
    const upload = async (...more: string[]) => {
      const user = `${alice.name}:${alice.password}`;
      const args = ['-s', '-w', '\n%{http_code}', '-u', user, ...form, ...more, `${server.url}/v1/functions`];
      const { stdout } = await runProgram('curl', args);
      return stdout;
    };
    const md5sums: unknown[] = [];
    for (const more of [[], ['-H', 'Expect: 100-continue'], ['-H', 'Transfer-Encoding: chunked']]) {
      const seen = server.run.stderr.length;
      server.run.send('SIGHUP'); // what was checked is forgotten
      await server.run.logged(/was read again/, seen);
      const [json = '', status] = (await upload(...more)).split(/\n(?=\d+$)/);
      assert.equal(status, '201', json);
      md5sums.push((JSON.parse(json) as { code: { md5sum: string } }).code.md5sum);
    }
    assert.equal(new Set(md5sums).size, 1);
    const wrong = ['-s', '-w', '\n%{http_code}', '-u', 'alice:wrong', ...form, `${server.url}/v1/functions`];
    assert.match((await runProgram('curl', wrong)).stdout, /not valid.*\n401$/);
  });
});
