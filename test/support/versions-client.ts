import type { TestContext } from 'node:test';
import { OpenstackClient } from './openstack-client.ts';
import { makeFolder, Server } from './server.ts';

const codeOf = (answer: string) => ({ 'main.py': `def main():\n    return '${answer}'\n` });

/** The client against a server with a function named `f`, which answers `one` and has no versions. */
export async function startWithFunction(t: TestContext) {
  const { path: folder } = makeFolder(t);
  const environment = { QINLING_LOCAL_WORKERS: '6' };
  const client = new OpenstackClient((await Server.start(t, folder, { environment })).url, folder);
  const { api } = client;
  const { id } = await api.createFunction({ files: codeOf('one') });
  await api.changeFunction(id, { name: 'f' });
  const change = (answer: string) => api.changeFunction(id, { files: codeOf(answer) });
  const publish = async () => {
    const { status, text } = await api.request('POST', `/v1/functions/${id}/versions`, {});
    if (status !== 201) throw new Error(text);
  };
  return { client, id, change, publish };
}
