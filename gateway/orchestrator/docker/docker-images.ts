import { MAX_LOG_BYTES } from '../../../protocol/limits.ts';
import type { ProgramExit } from '../../invoke/call.ts';
import { ImageFault, ImageTrouble, type ImageRun, type ImageRunner, type LeftImageRun } from '../image-runner.ts';
import { DockerLabel, containerName, containerSpec, type ContainerOptions } from './container.ts';
import { DockerError, type DockerClient } from './docker-client.ts';
import { demultiplexLog } from './log-demultiplexer.ts';

/** Docker's frames around what was printed: enough for MAX_LOG_BYTES in short lines. */
const MAX_LOG_STREAM_BYTES = 16 * MAX_LOG_BYTES;
/** How long a container's log may take to end after it. */
const LOG_END_MS = 10_000;
/** How long a daemon may take to remove a container. */
const REMOVE_MS = 60_000;

interface InspectedImage {
  readonly Config?: { readonly Volumes?: Readonly<Record<string, object>> | null } | null;
}

interface Inspected {
  readonly State: { readonly StartedAt: string; readonly FinishedAt: string; readonly ExitCode: number };
}

interface Listed {
  readonly Id: string;
  readonly Labels: Readonly<Record<string, string>>;
}

export interface DockerImagesOptions extends ContainerOptions {
  /** How long a run may take to begin: its image is fetched, and its container made. */
  readonly startMs: number;
  readonly onWarning: (text: string) => void;
}

/** Image functions on a Docker daemon: a container an execution. */
export class DockerImages implements ImageRunner {
  readonly #client: DockerClient;
  readonly #options: DockerImagesOptions;
  #isClosed = false;

  constructor(client: DockerClient, options: DockerImagesOptions) {
    this.#client = client;
    this.#options = options;
  }

  async run(run: ImageRun): Promise<ProgramExit> {
    const signal = AbortSignal.timeout(this.#options.startMs);
    const refuse = (trouble: ImageTrouble) => (error: unknown) => this.#refuse(run, trouble, error);
    const image = await this.#image(run.image, signal).catch(refuse(ImageTrouble.NotPulled));
    const id = await this.#create(run, image, signal).catch(refuse(ImageTrouble.NotStarted));
    return this.#untilRemoved(id, async () => {
      const start = this.#client.json<void>('POST', `/containers/${id}/start`, undefined, signal);
      await start.catch(refuse(ImageTrouble.NotStarted));
      return this.#end(id, run.timeoutMs).catch(refuse(ImageTrouble.Lost));
    });
  }

  async left(): Promise<LeftImageRun[]> {
    const filters = JSON.stringify({ label: [`${DockerLabel.Owner}=${this.#options.owner}`] });
    const path = `/containers/json?all=1&filters=${encodeURIComponent(filters)}`;
    const found = await this.#client.json<Listed[]>('GET', path);
    return found.map(({ Id: id, Labels: labels }) => ({
      invocationId: labels[DockerLabel.Invocation] ?? '',
      end: () => this.#untilRemoved(id, () => this.#endOfLeft(id, Number(labels[DockerLabel.TimeoutMs]))),
      remove: () => this.#remove(id),
    }));
  }

  close(): void {
    this.#isClosed = true;
  }

  async #create(run: ImageRun, image: InspectedImage, signal: AbortSignal): Promise<string> {
    const volumes = Object.keys(image.Config?.Volumes ?? {});
    const name = containerName(run.invocationId);
    const spec = containerSpec(run, this.#options, volumes);
    try {
      return (await this.#client.json<{ Id: string }>('POST', `/containers/create?name=${name}`, spec, signal)).Id;
    } catch (error) {
      if (!(error instanceof DockerError)) void this.#remove(name); // it may be there although nobody said so
      throw error;
    }
  }

  /** What the image says of itself; it is pulled where it is not there. */
  async #image(name: string, signal: AbortSignal): Promise<InspectedImage> {
    const path = `/images/${encodeURI(name)}/json`;
    const inspect = () => this.#client.json<InspectedImage>('GET', path, undefined, signal);
    try {
      return await inspect();
    } catch (error) {
      if (!(error instanceof DockerError) || error.status !== 404) throw error;
      await this.#pull(name, signal);
      return inspect();
    }
  }

  /** The progress comes as lines of JSON with status 200, whatever becomes of it. */
  async #pull(image: string, signal: AbortSignal): Promise<void> {
    const hasTag = /[:@][^/]*$/.test(image);
    const path = `/images/create?fromImage=${encodeURIComponent(image)}${hasTag ? '' : '&tag=latest'}`;
    const { body } = await this.#client.send('POST', path, undefined, undefined, signal);
    const last = body.toString().trim().split('\n').at(-1) ?? '';
    const { error } = (last === '' ? {} : JSON.parse(last)) as { error?: string };
    if (error !== undefined) throw new DockerError(404, error);
  }

  /** `startedAtMs`: when it began to run (milliseconds since 1970). */
  async #end(id: string, timeoutMs: number, startedAtMs = Date.now()): Promise<ProgramExit> {
    let isTimedOut = false;
    const logEnd = new AbortController();
    const log = this.#readLog(id, logEnd.signal);
    const timer = setTimeout(
      () => {
        isTimedOut = true;
        this.#client.send('POST', `/containers/${id}/kill`).catch(() => undefined); // it has ended by itself
      },
      timeoutMs - (Date.now() - startedAtMs),
    );
    try {
      await this.#client.send('POST', `/containers/${id}/wait`);
    } finally {
      clearTimeout(timer);
      setTimeout(() => logEnd.abort(), LOG_END_MS).unref();
    }
    const { State: state } = await this.#client.json<Inspected>('GET', `/containers/${id}/json`);
    return {
      exitCode: isTimedOut ? undefined : state.ExitCode,
      durationMs: Math.max(0, Date.parse(state.FinishedAt) - Date.parse(state.StartedAt)),
      ...demultiplexLog(await log, MAX_LOG_BYTES),
    };
  }

  /** The beginning of the log, read while it is written: Docker throws the beginning of a long one away. Never rejects. */
  async #readLog(id: string, signal: AbortSignal): Promise<Buffer> {
    const path = `/containers/${id}/logs?stdout=1&stderr=1&follow=1`;
    try {
      return (await this.#client.send('GET', path, undefined, MAX_LOG_STREAM_BYTES, signal)).body;
    } catch (error) {
      this.#options.onWarning(`the log of the container ${id} was not read: ${(error as Error).message}`);
      return Buffer.alloc(0);
    }
  }

  async #endOfLeft(id: string, timeoutMs: number): Promise<ProgramExit> {
    const { State: state } = await this.#client.json<Inspected>('GET', `/containers/${id}/json`);
    const startedAtMs = Date.parse(state.StartedAt);
    if (!(startedAtMs > 0)) throw new Error('the container was not started');
    return this.#end(id, timeoutMs, startedAtMs);
  }

  /** What is open when the gateway ends is left as it is: the next process takes it up. */
  async #untilRemoved(id: string, end: () => Promise<ProgramExit>): Promise<ProgramExit> {
    try {
      return await end();
    } finally {
      if (this.#isClosed) await new Promise(() => undefined);
      await this.#remove(id);
    }
  }

  async #remove(id: string): Promise<void> {
    try {
      const signal = AbortSignal.timeout(REMOVE_MS);
      await this.#client.json<void>('DELETE', `/containers/${id}?force=1&v=1`, undefined, signal);
    } catch (error) {
      if (error instanceof DockerError && error.status === 404) return;
      this.#options.onWarning(`the container ${id} was not removed: ${(error as Error).message}`);
    }
  }

  #refuse({ image }: ImageRun, trouble: ImageTrouble, cause: unknown): never {
    this.#options.onWarning(`the image ${image} cannot be run: ${(cause as Error).message}`);
    throw new ImageFault(trouble, cause);
  }
}
