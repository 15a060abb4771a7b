import type { KubernetesClient } from './client.ts';
import { whyRefused, type DeploymentObject } from './deployment.ts';
import { Annotation, deploymentName } from './names.ts';
import { isEnding, isTaken, lacksRoom, runtimeIdOf } from './pod.ts';
import type { PodWatch } from './pod-watch.ts';

const TRY_AGAIN_MS = 2_000;

/** The pods that pools should have and have not, because others take the room: on the nodes, or in a quota. */
export class LackingPods {
  readonly #client: KubernetesClient;
  readonly #pods: PodWatch;
  readonly #namespace: string;
  /** When the cluster was last asked to try again, by runtimes that a quota holds back. */
  readonly #triedAtMs = new Map<string, number>();

  constructor(client: KubernetesClient, pods: PodWatch, namespace: string) {
    this.#client = client;
    this.#pods = pods;
    this.#namespace = namespace;
  }

  /** Asked again and again while somebody waits for one. */
  async count(runtimeId: string): Promise<number> {
    let count = 0;
    for (const pod of this.#pods) {
      if (runtimeIdOf(pod) === runtimeId && !isTaken(pod) && !isEnding(pod) && lacksRoom(pod)) count++;
    }
    return count > 0 ? count : this.#countHeldBack(runtimeId);
  }

  async #countHeldBack(runtimeId: string): Promise<number> {
    const { spec, status = {} } = await this.#client.get<DeploymentObject>(this.#path(runtimeId));
    if (!/exceeded quota/.test(whyRefused(status) ?? '')) {
      this.#triedAtMs.delete(runtimeId);
      return 0;
    }
    await this.#tryAgain(runtimeId);
    return Math.max(0, (spec?.replicas ?? 1) - (status.replicas ?? 0));
  }

  /**
   * The cluster tries again by itself to make pods that a quota forbade, but ever more seldom; it does at once where
   * something about the Deployment changes.
   */
  async #tryAgain(runtimeId: string): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - (this.#triedAtMs.get(runtimeId) ?? -Infinity) < TRY_AGAIN_MS) return;
    this.#triedAtMs.set(runtimeId, nowMs);
    const change = { metadata: { annotations: { [Annotation.TriedAt]: new Date().toISOString() } } };
    await this.#client.merge(this.#path(runtimeId), change);
  }

  #path(runtimeId: string): string {
    return `/apis/apps/v1/namespaces/${this.#namespace}/deployments/${deploymentName(runtimeId)}`;
  }
}
