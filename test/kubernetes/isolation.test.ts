import assert from 'node:assert/strict';
import { resultOf } from '../support/api.ts';
import { describeInstallation, type SeenPod } from '../support/installation.ts';

/** Looks around as hostile code would, and tells what it found. */
const SPY = {
  'main.py': `
import glob, os, socket, struct

def reach(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
        return 'reached'
    except OSError as error:
        return type(error).__name__

def write(path):
    try:
        open(path, 'w').close()
        return 'written'
    except OSError as error:
        return 'refused'

def say_hello_as_parent():
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(5)
    link.connect('/run/qinling/agent/hosts.sock')
    text = lambda value: struct.pack('>I', len(value)) + value
    body = struct.pack('>BB', 1, 0) + text(b'parent') + text(b'3')
    link.sendall(struct.pack('>I', len(body)) + body)
    return 'closed' if link.recv(1) == b'' else 'answered'

def main(targets):
    status = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
    pids = [name for name in os.listdir('/proc') if name.isdigit()]
    return {
        'uid': os.getuid(),
        'capabilities': status['CapEff'].strip(),
        'seccomp': status['Seccomp'].strip(),
        'no_new_privileges': status['NoNewPrivs'].strip(),
        'secrets': [path for path in glob.glob('/run/secrets/**', recursive=True) if os.path.isfile(path)],
        'environment': sorted(name for name in os.environ if name.startswith(('QINLING', 'KUBERNETES'))),
        'commands': [open('/proc/%s/cmdline' % pid).read() for pid in pids],
        'root': write('/x'),
        'packages': write('/run/qinling/agent/packages/x'),
        'hosts': write('/run/qinling/start-host'),
        'scratch': write('x'),
        'hello': say_hello_as_parent(),
        'reach': {name: reach(host, port) for name, (host, port) in targets.items()},
    }
`,
};

interface Findings {
  readonly uid: number;
  readonly secrets: readonly string[];
  readonly commands: readonly string[];
  readonly reach: Readonly<Record<string, string>>;
  readonly [name: string]: unknown;
}

let found: Findings;

describeInstallation(
  'user code in a worker of Kubernetes',
  { overlays: ['minimal'], environment: { QINLING_KUBERNETES_REPLICAS: '2' } },
  async (cluster) => {
    const runtime = await cluster.createRuntime('python');
    assert.equal(runtime['status'], 'available', JSON.stringify(runtime));
    const { id } = await cluster.api.createFunction({ runtime: 'python', files: SPY, timeout: 60 });
    const addressOf = (pod: SeenPod) => (pod.status as { podIP?: string }).podIP!;
    const pods = await cluster.untilWorkers(runtime.id, (seen) => seen.length === 2 && seen.every(addressOf));
    const server = new URL(
      await cluster.kubectl('config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}'),
    );
    const targets = {
      gatewayLink: ['qinling-internal', 7071],
      gatewayApi: ['qinling', 7070],
      apiService: ['kubernetes.default', 443],
      apiServer: [server.hostname, Number(server.port)],
      // One of them is its own, which it may reach.
      worker0: [addressOf(pods[0]!), 7072],
      worker1: [addressOf(pods[1]!), 7072],
    };
    found = resultOf(await cluster.api.execute(id, { targets })).output as Findings;
    assert.equal(typeof found, 'object', JSON.stringify(found));
  },
  (_cluster, claim) => {
    claim('has no rights', async () => {
      assert.notEqual(found.uid, 0);
      assert.equal(Number(`0x${String(found['capabilities'])}`), 0);
      assert.deepEqual([found['seccomp'], found['no_new_privileges']], ['2', '1']);
    });

    claim('sees no token, no settings of ours, and no process of the agent', async () => {
      assert.deepEqual(found.secrets, []);
      assert.deepEqual(found['environment'], []);
      assert.ok(found.commands.length > 0);
      for (const command of found.commands) assert.doesNotMatch(command, /agent\/main/);
    });

    claim('writes nowhere but in its own scratch directory', async () => {
      const { root, packages, hosts, scratch } = found;
      assert.deepEqual(
        { root, packages, hosts, scratch },
        {
          root: 'refused',
          packages: 'refused',
          hosts: 'refused',
          scratch: 'written',
        },
      );
    });

    claim('is turned away where it poses as the language host', async () => {
      assert.equal(found['hello'], 'closed');
    });

    claim('reaches the link of the gateway, which asks for a token, and nothing else in the cluster', async () => {
      const { worker0, worker1, ...others } = found.reach;
      assert.equal([worker0, worker1].filter((end) => end === 'reached').length, 1, JSON.stringify(found.reach));
      const { gatewayLink, ...closed } = others;
      assert.equal(gatewayLink, 'reached');
      for (const [name, end] of Object.entries(closed)) assert.notEqual(end, 'reached', name);
    });
  },
);
