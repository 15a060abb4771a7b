import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Api, resultOf, type Resource } from '../support/api.ts';
import { makeFolder, Server } from '../support/server.ts';
import { hasPrograms, runProgram } from '../support/tools.ts';

/** As in the README of 2017, with the answer's head printed too. */
const SHELL_PREFIX = 'http() { command http --ignore-stdin --print=hb --pretty=none "$@"; }\n';

/** Stands for the package from outside that the README installs: 30 events, and no network. */
const REQUESTS = `
class Response(object):
    def json(self):
        return list(range(30))

def get(url):
    assert url == 'https://api.github.com/events'
    return Response()
`;

interface HttpAnswer {
  readonly status: string;
  readonly head: string;
  readonly body: Resource;
}

test('the quick start of 2017 works word for word', async (t) => {
  if (!hasPrograms(t, { http: 'httpie', zip: 'zip' })) return;
  const { path: folder } = makeFolder(t);
  const { url } = await Server.start(t, folder);
  const home = join(folder, 'home');
  mkdirSync(home);

  const shell = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await runProgram('bash', ['-euc', SHELL_PREFIX + script], { HOME: home });
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const http = async (script: string): Promise<HttpAnswer> => {
    const [head = '', body = ''] = (await shell(script)).split('\r\n\r\n');
    return { status: head.split('\r\n')[0]!, head, body: JSON.parse(body) as Resource };
  };

  const runtime = await http(`http POST ${url}/v1/runtimes name=python2.7 \\
        image=DOCKER_USER/python-runtime`);
  assert.equal(runtime.status, 'HTTP/1.1 201 Created');
  assert.equal(runtime.body['image'], 'DOCKER_USER/python-runtime');
  assert.equal(runtime.body['project_id'], 'default');
  await new Api(url).until(`/v1/runtimes/${runtime.body.id}`, ({ status }) => status === 'available');
  const shown = await http(`http GET ${url}/v1/runtimes/${runtime.body.id}`);
  assert.equal(shown.status, 'HTTP/1.1 200 OK');
  assert.equal(shown.body['status'], 'available');

  await shell(`mkdir ~/qinling_test
cat <<EOF > ~/qinling_test/main.py
import requests
def main():
    r = requests.get('https://api.github.com/events')
    return len(r.json())
if __name__ == '__main__':
    main()
EOF`);
  const stub = join(folder, 'requests');
  mkdirSync(stub);
  writeFileSync(join(stub, '__init__.py'), REQUESTS);
  cpSync(stub, join(home, 'qinling_test', 'requests'), { recursive: true }); // pip install requests -t ~/qinling_test
  await shell('zip -r ~/qinling_test/qinling_test.zip ~/qinling_test/*');

  const created = await http(`http -f POST ${url}/v1/functions name=github_test \\
        runtime_id=${runtime.body.id} \\
        code='{"package": "true"}' \\
        package@~/qinling_test/qinling_test.zip`);
  assert.equal(created.status, 'HTTP/1.1 201 Created');
  assert.equal((created.body['code'] as { package?: unknown }).package, 'true');
  assert.equal(created.body['entry'], 'main.main');

  const invoke = () =>
    http(`http POST ${url}/v1/executions \\
        function_id=${created.body.id}`);
  const first = await invoke();
  assert.equal(first.status, 'HTTP/1.1 201 Created');
  const { input, output, status, sync } = first.body;
  assert.deepEqual(
    { input, output, status, sync },
    { input: null, output: '{"result": 30}', status: 'success', sync: true },
  );
  assert.equal(resultOf(first.body).output, 30);
  assert.match(first.head, /^server-timing: .*start;desc="cold"/im);

  const second = await invoke(); // "much faster thanks to Qinling cache mechanism"
  assert.equal(second.body['output'], '{"result": 30}');
  assert.match(second.head, /^server-timing: .*start;desc="warm"/im);
});
