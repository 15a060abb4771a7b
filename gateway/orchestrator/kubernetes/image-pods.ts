import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_LOG_BYTES } from '../../../protocol/limits.ts';
import type { ProgramExit } from '../../invoke/call.ts';
import { ImageFault, ImageTrouble, type ImageRun, type ImageRunner, type LeftImageRun } from '../image-runner.ts';
import { ApiError, isNotFound, type KubernetesClient, type ObjectList } from './client.ts';
import { START_SECONDS, imagePod, imagePodName, type ImagePodOptions } from './image-pod.ts';
import { Annotation, IMAGE_SELECTOR } from './names.ts';
import { imageStateOf, lacksImage, troubleOf, type ImageState, type PodObject } from './pod.ts';

/** Between two looks at a pod; the longer it has run, the longer. */
const FIRST_LOOK_MS = 100;
const LAST_LOOK_MS = 1_000;
/** The API server may be away for so long before a run is given up. */
const BLIND_MS = 120_000;
const REMOVE_TRIES = 6;
const REMOVE_AGAIN_MS = 5_000;

/** Image functions in a cluster: a pod an execution. */
export class ImagePods implements ImageRunner {
  readonly #client: KubernetesClient;
  readonly #options: ImagePodOptions;
  readonly #onWarning: (text: string) => void;
  #isClosed = false;

  constructor(client: KubernetesClient, options: ImagePodOptions, onWarning: (text: string) => void) {
    this.#client = client;
    this.#options = options;
    this.#onWarning = onWarning;
  }

  async run(run: ImageRun): Promise<ProgramExit> {
    const name = imagePodName(run.invocationId);
    try {
      await this.#create(run);
      return await this.#untilRemoved(name, run.timeoutMs, false);
    } catch (error) {
      const fault = error instanceof ImageFault ? error : new ImageFault(ImageTrouble.Lost, error);
      this.#onWarning(`the image ${run.image} cannot be run: ${(fault.cause as Error).message}`);
      throw fault;
    }
  }

  async left(): Promise<LeftImageRun[]> {
    const { items } = await this.#client.get<ObjectList<PodObject>>(this.#path(), { labelSelector: IMAGE_SELECTOR });
    return items.map(({ metadata: { name, annotations = {} } }) => ({
      invocationId: annotations[Annotation.Invocation] ?? '',
      end: () => this.#untilRemoved(name, Number(annotations[Annotation.TimeoutMs]), true),
      remove: () => this.#remove(name),
    }));
  }

  close(): void {
    this.#isClosed = true;
  }

  #path(name = ''): string {
    const pods = `/api/v1/namespaces/${this.#options.namespace}/pods`;
    return name === '' ? pods : `${pods}/${name}`;
  }

  /** A pod may be there although the server did not say so. */
  async #create(run: ImageRun): Promise<void> {
    try {
      await this.#client.create(this.#path(), imagePod(run, this.#options));
    } catch (error) {
      const isRefused = error instanceof ApiError && error.status < 500;
      if (!isRefused) void this.#remove(imagePodName(run.invocationId));
      throw new ImageFault(ImageTrouble.NotStarted, error);
    }
  }

  /** What is there when the gateway ends is left as it is: the next process takes it up. */
  async #untilRemoved(name: string, timeoutMs: number, isLeft: boolean): Promise<ProgramExit> {
    try {
      return await this.#end(name, timeoutMs, isLeft);
    } finally {
      if (this.#isClosed) await new Promise(() => undefined);
      void this.#remove(name);
    }
  }

  /** `isLeft`: it may have run before we looked, as the node's clock tells; else ours tells. */
  async #end(name: string, timeoutMs: number, isLeft: boolean): Promise<ProgramExit> {
    const sinceMs = performance.now();
    let runsSinceMs = Number.POSITIVE_INFINITY;
    for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(lookMs * 1.2, LAST_LOOK_MS)) {
      const pod = await this.#look(name);
      const state = imageStateOf(pod);
      if (state.kind === 'ended') return this.#readEnd(name, state);
      if (state.kind === 'refused') throw new ImageFault(ImageTrouble.NotStarted, new Error(state.text));
      if (state.kind === 'running') {
        const ranBeforeMs = isLeft ? Math.max(0, Date.now() - state.startedAtMs) || 0 : 0;
        runsSinceMs = Math.min(runsSinceMs, performance.now() - ranBeforeMs);
      }
      const ranMs = performance.now() - runsSinceMs;
      if (ranMs >= timeoutMs) return this.#readEnd(name, { kind: 'ended', exitCode: undefined, durationMs: ranMs });
      if (state.kind === 'waiting') this.#refuseTrouble(pod, performance.now() - sinceMs);
      await sleep(Math.min(lookMs, Math.max(1, timeoutMs - Math.max(0, ranMs))));
      if (this.#isClosed) await new Promise(() => undefined);
    }
  }

  async #look(name: string): Promise<PodObject> {
    const giveUpMs = performance.now() + BLIND_MS;
    for (;;) {
      try {
        return await this.#client.get<PodObject>(this.#path(name));
      } catch (error) {
        if (isNotFound(error)) throw new Error('its pod was removed', { cause: error });
        if (performance.now() > giveUpMs) throw error;
        await sleep(LAST_LOOK_MS);
      }
    }
  }

  #refuseTrouble(pod: PodObject, waitedMs: number): void {
    const trouble = troubleOf(pod);
    if (trouble?.isFinal !== true && waitedMs <= START_SECONDS * 1000) return;
    const told = lacksImage(pod) ? ImageTrouble.NotPulled : ImageTrouble.NotStarted;
    throw new ImageFault(told, new Error(trouble?.text ?? 'its pod did not start in time'));
  }

  async #readEnd(name: string, { exitCode, durationMs }: ImageState & { kind: 'ended' }): Promise<ProgramExit> {
    const log = Buffer.from(await this.#readLog(name));
    return { exitCode, durationMs, log: log.subarray(0, MAX_LOG_BYTES), isLogCut: log.length > MAX_LOG_BYTES };
  }

  /** How it ended stands, whatever becomes of its log. Never rejects. */
  async #readLog(name: string): Promise<string> {
    try {
      return await this.#client.get<string>(`${this.#path(name)}/log`, { limitBytes: String(MAX_LOG_BYTES + 1) });
    } catch (error) {
      this.#onWarning(`the log of the pod ${name} was not read: ${(error as Error).message}`);
      return '';
    }
  }

  /** Never rejects; what cannot be removed now is found by the next process. */
  async #remove(name: string): Promise<void> {
    for (let tries = 1; tries <= REMOVE_TRIES; tries++) {
      try {
        return await this.#client.delete(this.#path(name), { gracePeriodSeconds: '0' });
      } catch (error) {
        this.#onWarning(`the pod ${name} was not removed: ${(error as Error).message}`);
        await sleep(REMOVE_AGAIN_MS, undefined, { ref: false });
      }
    }
  }
}
