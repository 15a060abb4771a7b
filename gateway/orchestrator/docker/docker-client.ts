import { request, type RequestOptions } from 'node:http';

/** The daemon's refusal. */
export class DockerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface DockerAnswer {
  readonly body: Buffer;
  /** True where more came than was asked for. */
  readonly isCut: boolean;
}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/**
 * A Docker daemon by its HTTP API, without a version in the paths: what is used here is the same in all of them. Seven
 * calls over one socket need no package of their own.
 */
export class DockerClient {
  readonly #place: Pick<RequestOptions, 'socketPath' | 'host' | 'port'>;

  /** `unix:///run/docker.sock` or `tcp://HOST:PORT`. Throws for anything else. */
  constructor(host: string) {
    const url = URL.canParse(host) ? new URL(host) : undefined;
    if (url?.protocol === 'unix:' && url.pathname !== '') this.#place = { socketPath: url.pathname };
    else if (url?.protocol === 'tcp:') this.#place = { host: url.hostname, port: url.port };
    else throw new Error(`'${host}' is no address of a Docker daemon: unix:///PATH or tcp://HOST:PORT`);
  }

  async json<T>(method: string, path: string, body?: object, signal?: AbortSignal): Promise<T> {
    const answer = await this.send(method, path, body, MAX_ANSWER_BYTES, signal);
    return (answer.body.length === 0 ? undefined : JSON.parse(answer.body.toString())) as T;
  }

  /**
   * Rejects with DockerError for an error status, and with the connection's own errors. At most `maxBytes` are read. The
   * signal ends the request.
   */
  send(
    method: string,
    path: string,
    body?: object,
    maxBytes = MAX_ANSWER_BYTES,
    signal?: AbortSignal,
  ): Promise<DockerAnswer> {
    return new Promise((resolve, reject) => {
      const headers = { Host: 'docker', 'Content-Type': 'application/json' };
      const ending = signal === undefined ? {} : { signal };
      const asked = request({ ...this.#place, method, path, headers, agent: false, ...ending }, (response) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        const settle = (isCut: boolean): void => {
          const answer = Buffer.concat(parts, bytes);
          const status = response.statusCode ?? 500;
          if (status >= 400) reject(new DockerError(status, messageOf(answer, status)));
          else resolve({ body: answer, isCut });
        };
        response.on('data', (chunk: Buffer) => {
          parts.push(chunk);
          bytes += chunk.length;
          if (bytes <= maxBytes) return;
          settle(true);
          response.destroy();
        });
        response.on('end', () => settle(false));
        response.on('error', reject);
      });
      asked.on('error', reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

function messageOf(answer: Buffer, status: number): string {
  try {
    return (JSON.parse(answer.toString()) as { message: string }).message;
  } catch {
    return `the Docker daemon answered ${status}`;
  }
}
