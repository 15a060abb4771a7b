import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isNotFound, KubernetesClient, type ObjectList } from '../../gateway/orchestrator/kubernetes/client.ts';
import { Label, WORKER_SELECTOR } from '../../gateway/orchestrator/kubernetes/names.ts';
import type { PodObject } from '../../gateway/orchestrator/kubernetes/pod.ts';
import { Api } from './api.ts';
import { runProgram, type ProgramEnd } from './tools.ts';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const TOKEN_REVIEW = 'qinling-gateway-token-review';
const POLL_MS = 200;
/** Long after what a test waits for should have come. */
const TEST_LIMIT_MS = 120_000;
const { QINLING_TEST_KUBECTL, QINLING_TEST_IMAGE, QINLING_TEST_RUNTIME_IMAGE, QINLING_TEST_NGINX_IMAGE } = process.env;

export const KUBECTL = QINLING_TEST_KUBECTL ?? 'kubectl';

/** Gateway and agent, with a tag. */
export const PRODUCT_IMAGE = QINLING_TEST_IMAGE ?? 'localhost/qinling:1';
/** An image of an operator, with Python and a shell. */
export const PYTHON_IMAGE = QINLING_TEST_RUNTIME_IMAGE ?? 'localhost/python-with-tools:1';

export interface InstallationOptions {
  /** Folders below manifests/kubernetes. */
  readonly overlays: readonly string[];
  /** Options of the gateway, as environment variables. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Runs before the folders are applied. */
  readonly beforehand?: (installation: Installation) => Promise<void>;
}

/** TLS in front of the gateway, as the overlay `tls` has it. */
export const NGINX_IMAGE = QINLING_TEST_NGINX_IMAGE ?? 'localhost/nginx:1';

/** A pod with what tests look at beside what the product does. */
export interface SeenPod extends PodObject {
  readonly spec: {
    readonly containers: readonly { readonly name: string; readonly image: string }[];
    readonly initContainers?: readonly {
      readonly name: string;
      readonly image: string;
      readonly resources: { readonly limits?: Readonly<Record<string, string>> };
    }[];
  };
}

/** The manifests of this project, applied in a namespace of their own as an operator applies them. */
export class Installation {
  readonly namespace: string;
  readonly client: KubernetesClient;
  readonly #folder: string;
  #host = '';
  #port = 0;

  constructor() {
    this.namespace = `qinling-test-${randomBytes(4).toString('hex')}`;
    this.client = new KubernetesClient({ host: '', caFile: '', certFile: '', keyFile: '' });
    this.#folder = join(PROJECT, 'build', 'test-manifests', this.namespace);
  }

  /** Resolves when the gateway answers. */
  async open(options: InstallationOptions): Promise<void> {
    this.#writeKustomization(options);
    await options.beforehand?.(this);
    await this.apply();
    await this.kubectl('rollout', 'status', 'deployment/qinling', '--timeout=180s');
    const path = 'jsonpath={.spec.clusterIP} {.spec.ports[0].port}';
    const [host = '', port] = (await this.kubectl('get', 'service', 'qinling', '-o', path)).split(' ');
    this.#host = host;
    this.#port = Number(port);
    await this.untilAnswered();
  }

  async apply(): Promise<void> {
    await this.kubectl('apply', '--validate=strict', '-k', this.#folder);
  }

  /** Does not wait: what is left goes in the background. */
  async remove(): Promise<void> {
    await this.kubectl('delete', 'namespace', this.namespace, '--wait=false', '--ignore-not-found');
    await this.kubectl('delete', 'clusterrolebinding', this.#tokenReview, '--ignore-not-found');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The address of the gateway's service. */
  get host(): string {
    return this.#host;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://${this.#host}:${this.#port}`;
  }

  get api(): Api {
    return new Api(this.url);
  }

  /** The output of a command that goes well, in our namespace. */
  async kubectl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.tryKubectl(...args);
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }

  /** How a command ends, in our namespace. */
  tryKubectl(...args: string[]): Promise<ProgramEnd> {
    return runProgram(KUBECTL, ['--namespace', this.namespace, ...args]);
  }

  /** Right after a roll-out a service may refuse for a moment. An answer that we cannot read is one. */
  async untilAnswered(): Promise<void> {
    for (;;) {
      const isUp = await fetch(`${this.url}/v1/runtimes`).then(
        ({ status }) => status < 500,
        () => false,
      );
      if (isUp) return;
      await sleep(POLL_MS);
    }
  }

  /** A runtime of an image, once its fate is known: its record then. */
  async createRuntime(name: string, image = PYTHON_IMAGE, isTrusted = true) {
    const answer = await this.api.request('POST', '/v1/runtimes', { name, image, trusted: isTrusted });
    assert.equal(answer.status, 201, answer.text);
    const { id } = JSON.parse(answer.text) as { id: string };
    return this.api.until(`/v1/runtimes/${id}`, ({ status }) => status !== 'creating');
  }

  /** The workers' pods of a runtime that are not on their way out. */
  async workers(runtimeId: string): Promise<SeenPod[]> {
    const labelSelector = `${WORKER_SELECTOR},${Label.Runtime}=${runtimeId}`;
    const { items } = await this.client.get<ObjectList<SeenPod>>(this.#pods(), { labelSelector });
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  /** Asks again until the workers are as wanted. */
  async untilWorkers(runtimeId: string, isAsWanted: (pods: readonly SeenPod[]) => boolean): Promise<SeenPod[]> {
    for (;;) {
      const pods = await this.workers(runtimeId);
      if (isAsWanted(pods)) return pods;
      await sleep(POLL_MS);
    }
  }

  async untilPodIsGone(name: string): Promise<void> {
    for (;;) {
      const isGone = await this.client.get(`${this.#pods()}/${name}`).then(
        () => false,
        (error: unknown) => isNotFound(error),
      );
      if (isGone) return;
      await sleep(POLL_MS);
    }
  }

  /** What an operator would look at: for the message of a test that fails. */
  async describe(): Promise<string> {
    const parts = await Promise.all(
      [
        ['get', 'pods', '-o', 'wide'],
        ['get', 'events', '--sort-by=.lastTimestamp'],
        ['logs', 'deployment/qinling', '--tail=40'],
        ['logs', '-l', WORKER_SELECTOR, '--all-containers', '--prefix', '--tail=10'],
      ].map((args) => this.kubectl(...args).catch((error: Error) => error.message)),
    );
    return parts.join('\n\n');
  }

  /** The one object that is in no namespace needs a name of its own, as in docs/kubernetes.md. */
  get #tokenReview(): string {
    return `${TOKEN_REVIEW}-${this.namespace}`;
  }

  #pods(): string {
    return `/api/v1/namespaces/${this.namespace}/pods`;
  }

  #writeKustomization({ overlays, environment = {} }: InstallationOptions): void {
    const env = Object.entries(environment).map(([name, value]) => ({ name, value }));
    const gateway = { name: 'gateway', env };
    const patch = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'qinling' },
      spec: { template: { spec: { containers: [gateway] } } },
    };
    mkdirSync(this.#folder, { recursive: true });
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      namespace: this.namespace,
      resources: overlays.map((overlay) => `../../../manifests/kubernetes/${overlay}`),
      images: [imageChange('qinling/qinling', PRODUCT_IMAGE), imageChange('nginxinc/nginx-unprivileged', NGINX_IMAGE)],
      patches: [
        { patch: JSON.stringify(patch) },
        {
          target: { kind: 'ClusterRoleBinding', name: TOKEN_REVIEW },
          patch: JSON.stringify([{ op: 'replace', path: '/metadata/name', value: this.#tokenReview }]),
        },
      ],
    };
    writeFileSync(join(this.#folder, 'kustomization.yaml'), JSON.stringify(kustomization));
  }
}

/** A test, by a sentence true of the installation. */
export type Claim = (sentence: string, run: () => Promise<void>) => void;

/**
 * Tests that share one installation. `prepare` runs when it is up, before the first of them. Where one fails, the cluster
 * is told about.
 */
export function describeInstallation(
  title: string,
  options: InstallationOptions,
  prepare: (cluster: Installation) => Promise<void>,
  claims: (cluster: Installation, claim: Claim) => void,
): void {
  const cluster = new Installation();
  const explained = async (run: () => Promise<void>) => {
    const timeout = AbortSignal.timeout(TEST_LIMIT_MS);
    const isOver = new Promise<never>((_resolve, reject) =>
      timeout.addEventListener('abort', () => reject(new Error(`not done in ${TEST_LIMIT_MS / 1000} s`))),
    );
    try {
      await Promise.race([run(), isOver]);
    } catch (error) {
      process.stderr.write(`${await cluster.describe()}\n`);
      throw error;
    }
  };
  describe(title, () => {
    before(() =>
      explained(async () => {
        await cluster.open(options);
        await prepare(cluster);
      }),
    );
    after(() => cluster.remove());
    claims(cluster, (sentence, run) => void test(sentence, () => explained(run)));
  });
}

/** For kustomize. */
function imageChange(name: string, image: string): object {
  const at = image.lastIndexOf(':');
  return { name, newName: image.slice(0, at), newTag: image.slice(at + 1) };
}
