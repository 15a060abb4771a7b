import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { DockerClient } from '../../../../gateway/orchestrator/docker/docker-client.ts';
import { DockerImages } from '../../../../gateway/orchestrator/docker/docker-images.ts';
import { ImageTrouble } from '../../../../gateway/orchestrator/image-runner.ts';
import { imageRun } from '../../../support/image-run.ts';
import { makeFolder } from '../../../support/server.ts';

const NAME = 'qinling-01900000-0000-7000-8000-000000000001-2';
const RUN = imageRun({ timeoutMs: 60_000 });

type Respond = (response: ServerResponse) => void;

const json =
  (status: number, body: object): Respond =>
  (response) =>
    response.writeHead(status).end(JSON.stringify(body));
const silence: Respond = () => undefined;

/** A daemon that answers what is given for the beginning of a request (`METHOD /path`), else that there is no such thing. */
async function open(t: TestContext, answers: Readonly<Record<string, Respond>>, startMs: number) {
  const asked = new EventEmitter();
  const server = createServer((message, response) => {
    message.resume();
    const line = `${message.method!} ${message.url!}`;
    const found = Object.entries(answers).find(([beginning]) => line.startsWith(beginning));
    (found?.[1] ?? json(404, { message: 'no such thing' }))(response);
    if (message.method === 'DELETE') asked.emit('delete', message.url);
  });
  const socket = join(makeFolder(t).path, 'docker.sock');
  server.listen(socket);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const warnings: string[] = [];
  const onWarning = (text: string) => warnings.push(text);
  const options = { owner: 'o', network: 'none', startMs, onWarning };
  const images = new DockerImages(new DockerClient(`unix://${socket}`), options);
  return { images, warnings, deleted: once(asked, 'delete') };
}

test('a registry that never gives the image keeps no place', async (t) => {
  const { images, warnings } = await open(t, { 'POST /images/create': silence }, 50);
  await assert.rejects(images.run(RUN), { message: ImageTrouble.NotPulled });
  assert.match(warnings.join('\n'), /team\/tool:1 cannot be run/);
});

test('a container that may have been made is removed where the answer was lost', async (t) => {
  const answers = {
    'GET /images/': json(200, { Config: {} }),
    'POST /containers/create': (response: ServerResponse) => response.destroy(),
    [`DELETE /containers/${NAME}`]: json(204, {}),
  };
  const { images, deleted } = await open(t, answers, 60_000);
  await assert.rejects(images.run(RUN), { message: ImageTrouble.NotStarted });
  assert.match(String((await deleted)[0]), new RegExp(`^/containers/${NAME}\\?`));
});

test('a container that does not start in time is removed', async (t) => {
  const answers = {
    'GET /images/': json(200, { Config: {} }),
    'POST /containers/create': json(201, { Id: 'made' }),
    'POST /containers/made/start': silence,
    'DELETE /containers/made': json(200, {}),
  };
  const { images, deleted } = await open(t, answers, 50);
  await assert.rejects(images.run(RUN), { message: ImageTrouble.NotStarted });
  assert.match(String((await deleted)[0]), /^\/containers\/made\?/);
});
