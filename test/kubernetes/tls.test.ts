import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { Api, resultOf, type Resource } from '../support/api.ts';
import { httpsSender, isListening, type TlsServer } from '../support/https-sender.ts';
import { describeInstallation, PYTHON_IMAGE, type Installation, type SeenPod } from '../support/installation.ts';
import { runProgram } from '../support/tools.ts';

const NAME = 'qinling.test';
const HELLO = { 'main.py': 'def main(name):\n    return "Hello, " + name\n' };

let authority = '';

/** As an operator does it: a certificate, and a secret of it. */
async function createSecret(cluster: Installation): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'qinling-tls-'));
  try {
    const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const name = ['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`];
    const made = await runProgram('openssl', ['req', '-x509', ...kind, ...name, '-out', cert, '-keyout', key]);
    assert.equal(made.code, 0, made.stderr);
    authority = readFileSync(cert, 'utf8');
    await cluster.kubectl('create', 'secret', 'tls', 'qinling-tls', `--cert=${cert}`, `--key=${key}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function serverOf({ host, port }: Installation): TlsServer {
  return { host, port, authority };
}

/** The version of TLS that the server agrees to, or the code of the refusal. */
function agreedVersion({ host, port, authority: ca }: TlsServer, maxVersion: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') {
  return new Promise<string | null | undefined>((resolve) => {
    // Level 0: else our own side would not offer the old versions.
    const options = { host, port, ca, servername: NAME, minVersion: 'TLSv1', maxVersion, ciphers: 'ALL:@SECLEVEL=0' };
    const socket = connect(options as object, () => {
      resolve(socket.getProtocol());
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}

describeInstallation(
  'a gateway behind TLS in Kubernetes',
  {
    overlays: ['tls'],
    environment: { QINLING_KUBERNETES_REPLICAS: '1' },
    beforehand: async (installation) => {
      await installation.kubectl('create', 'namespace', installation.namespace);
      await createSecret(installation);
    },
  },
  async () => undefined,
  (cluster, claim) => {
    const open = () => new Api(`https://${NAME}`, httpsSender(serverOf(cluster)));

    claim('runs functions for callers by HTTPS, with the certificate of its secret', async () => {
      const api = open();
      const created = await api.request('POST', '/v1/runtimes', { name: 'python', image: PYTHON_IMAGE });
      assert.equal(created.status, 201, created.text);
      const { id: runtimeId } = JSON.parse(created.text) as Resource;
      const runtime = await api.until(`/v1/runtimes/${runtimeId}`, ({ status }) => status !== 'creating');
      assert.equal(runtime['status'], 'available', JSON.stringify(runtime));
      const { id } = await api.createFunction({ runtime: 'python', files: HELLO });
      assert.equal(resultOf(await api.execute(id, { name: 'TLS' })).output, 'Hello, TLS');
      const answer = await api.request('POST', '/v1/webhooks', { function_id: id });
      assert.equal(answer.status, 201, answer.text);
      const { webhook_url: webhookUrl } = JSON.parse(answer.text) as { webhook_url: string };
      assert.match(webhookUrl, new RegExp(`^https://${NAME}/v1/webhooks/`));
    });

    claim('takes neither old versions of TLS nor plain HTTP', async () => {
      const server = serverOf(cluster);
      assert.equal(await agreedVersion(server, 'TLSv1.3'), 'TLSv1.3');
      assert.equal(await agreedVersion(server, 'TLSv1.2'), 'TLSv1.2');
      assert.equal(await agreedVersion(server, 'TLSv1.1'), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
      assert.equal((await fetch(`http://${cluster.host}:${cluster.port}/v1/runtimes`)).status, 400);
      const gateway = 'app.kubernetes.io/component=gateway';
      const pods = JSON.parse(await cluster.kubectl('get', 'pods', '-l', gateway, '-o', 'json')) as {
        items: SeenPod[];
      };
      const { podIP } = pods.items[0]!.status as { podIP: string };
      assert.equal(await isListening(podIP, 8443), true);
      assert.equal(await isListening(podIP, 7070), false);
    });

    claim('takes a new certificate when it starts anew', async () => {
      const before = authority;
      await cluster.kubectl('delete', 'secret', 'qinling-tls');
      await createSecret(cluster);
      assert.notEqual(authority, before);
      await cluster.kubectl('rollout', 'restart', 'deployment/qinling');
      await cluster.kubectl('rollout', 'status', 'deployment/qinling', '--timeout=100s');
      for (;;) {
        const answer = await open()
          .request('GET', '/v1/runtimes')
          .catch((error: NodeJS.ErrnoException) => error.code);
        if (typeof answer === 'object') return;
        assert.match(String(answer), /^(ECONNREFUSED|ETIMEDOUT)$/); // right after a roll-out
        await sleep(100);
      }
    });
  },
);
