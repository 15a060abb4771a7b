import { USER_CODE_UID, type ImageRun } from '../image-runner.ts';

/** Names that our containers carry: operators may select by them. */
export const DockerLabel = {
  /** Which gateway made it. */
  Owner: 'org.openstack.qinling.gateway',
  Invocation: 'org.openstack.qinling.invocation',
  Function: 'org.openstack.qinling.function',
  TimeoutMs: 'org.openstack.qinling.timeout-ms',
} as const;

const MAX_PROCESSES = 128;
const MAX_OPEN_FILES = 1_024;
const SCRATCH_BYTES = 64 * 1024 * 1024;
const SCRATCH = `rw,noexec,nosuid,mode=1777,size=${SCRATCH_BYTES}`;

export interface ContainerOptions {
  readonly owner: string;
  readonly network: string;
}

export function containerName(invocationId: string): string {
  return `qinling-${invocationId.replace('/', '-')}`;
}

/**
 * The body of "Create a container": no rights, a root file system that cannot be written, a small /tmp, and the limits of
 * the function. Swap does not add to the memory.
 *
 * `volumes`: folders that the image declares as volumes. Docker would give it a disk of any size there, so they are like
 * /tmp instead, and what is in them counts as memory of the function.
 */
export function containerSpec(
  run: ImageRun,
  { owner, network }: ContainerOptions,
  volumes: readonly string[] = [],
): object {
  return {
    Image: run.image,
    ...(run.args === undefined ? {} : { Cmd: run.args }),
    User: `${USER_CODE_UID}:${USER_CODE_UID}`,
    Labels: {
      [DockerLabel.Owner]: owner,
      [DockerLabel.Invocation]: run.invocationId,
      [DockerLabel.Function]: run.functionId,
      [DockerLabel.TimeoutMs]: String(run.timeoutMs),
    },
    HostConfig: {
      NetworkMode: network,
      Memory: run.memoryBytes,
      MemorySwap: run.memoryBytes,
      NanoCpus: run.cpuMillicores * 1_000_000,
      PidsLimit: MAX_PROCESSES,
      Ulimits: [{ Name: 'nofile', Soft: MAX_OPEN_FILES, Hard: MAX_OPEN_FILES }],
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      Tmpfs: Object.fromEntries(['/tmp', ...volumes].map((path) => [path, SCRATCH])),
      // A second file, so that a flood does not take away what has not been read yet.
      LogConfig: { Type: 'json-file', Config: { 'max-size': '8m', 'max-file': '2' } },
    },
  };
}
