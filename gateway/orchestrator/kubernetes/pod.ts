import type { KubernetesObject } from './client.ts';
import { AGENT_CONTAINER, Label, PodState, RUNTIME_CONTAINER } from './names.ts';

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: {
    readonly exitCode: number;
    readonly reason?: string;
    readonly message?: string;
    readonly startedAt?: string;
    readonly finishedAt?: string;
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly image: string;
  readonly restartCount: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

interface NamedImage {
  readonly name: string;
  readonly image: string;
}

/** What we read of a pod. */
export interface PodObject extends KubernetesObject {
  readonly spec?: {
    readonly containers?: readonly NamedImage[];
    readonly initContainers?: readonly NamedImage[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly Condition[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

/** Why a pod does not come up. */
export interface Trouble {
  /** One sentence for the users of the runtime. */
  readonly text: string;
  /** Waiting will not help. */
  readonly isFinal: boolean;
}

const MAX_TEXT_LENGTH = 500;
const PULL_REASONS = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull']);
const FINAL_PULL_REASONS = new Set(['ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull']);
const START_REASONS = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError']);
/** A container that failed so often will fail again. */
const FINAL_RESTARTS = 2;

export type ImageState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'running'; readonly startedAtMs: number }
  /** It will not run; the text says why. */
  | { readonly kind: 'refused'; readonly text: string }
  /** Without an exit code its time was over. */
  | { readonly kind: 'ended'; readonly exitCode: number | undefined; readonly durationMs: number };

/** How far the pod of an image function is. Times are the node's, in whole seconds. */
export function imageStateOf({ status }: PodObject): ImageState {
  const { running, terminated } = status?.containerStatuses?.[0]?.state ?? {};
  if (terminated !== undefined) {
    const { exitCode, startedAt = '', finishedAt = '' } = terminated;
    const durationMs = Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)) || 0;
    return { kind: 'ended', exitCode: isTimeOver(status) ? undefined : exitCode, durationMs };
  }
  if (isTimeOver(status)) return { kind: 'ended', exitCode: undefined, durationMs: 0 };
  if (status?.phase === 'Failed') {
    const { reason = '', message = '' } = status; // its node did not take it, say
    return { kind: 'refused', text: `its pod failed: ${reason} ${message}`.trim() };
  }
  if (running === undefined) return { kind: 'waiting' };
  return { kind: 'running', startedAtMs: Date.parse(running.startedAt ?? '') };
}

function isTimeOver(status: PodObject['status']): boolean {
  return status?.phase === 'Failed' && status.reason === 'DeadlineExceeded';
}

export function runtimeIdOf(pod: PodObject): string | undefined {
  return pod.metadata.labels?.[Label.Runtime];
}

/** The operator's image that the worker runs. */
export function runtimeImageOf(pod: PodObject): string | undefined {
  return pod.spec?.initContainers?.find(({ name }) => name === RUNTIME_CONTAINER)?.image;
}

export function isTaken(pod: PodObject): boolean {
  return pod.metadata.labels?.[Label.State] === PodState.Taken;
}

export function isEnding(pod: PodObject): boolean {
  const phase = pod.status?.phase;
  return pod.metadata.deletionTimestamp !== undefined || phase === 'Succeeded' || phase === 'Failed';
}

/** True where the agent's process is not the first one of this pod. */
export function hasNewAgent(pod: PodObject): boolean {
  return pod.status?.containerStatuses?.some((each) => each.name === AGENT_CONTAINER && each.restartCount > 0) === true;
}

/** What keeps the pod from coming up, as far as it tells. */
export function troubleOf(pod: PodObject): Trouble | undefined {
  const unscheduled = whyUnschedulable(pod);
  if (unscheduled !== undefined) return trouble(`No node takes its pods: ${unscheduled}`, false);
  for (const status of statusesOf(pod)) {
    const found = troubleOfContainer(status);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** True where an image of it cannot be had, so far. */
export function lacksImage(pod: PodObject): boolean {
  return statusesOf(pod).some(({ state }) => PULL_REASONS.has(state?.waiting?.reason ?? ''));
}

/** True where no node takes the pod because of what others use there. */
export function lacksRoom(pod: PodObject): boolean {
  return /Insufficient |Too many pods/.test(whyUnschedulable(pod) ?? '');
}

function statusesOf({ status }: PodObject): ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}

function whyUnschedulable(pod: PodObject): string | undefined {
  const found = pod.status?.conditions?.find(
    ({ type, status, reason }) => type === 'PodScheduled' && status === 'False' && reason === 'Unschedulable',
  );
  return found && (found.message ?? '');
}

function troubleOfContainer({ image, restartCount, state, lastState }: ContainerStatus): Trouble | undefined {
  const { reason = '', message = '' } = state?.waiting ?? {};
  const isFinal = restartCount >= FINAL_RESTARTS;
  if (PULL_REASONS.has(reason)) {
    return trouble(`The image ${image} cannot be pulled: ${message || reason}`, FINAL_PULL_REASONS.has(reason));
  }
  if (START_REASONS.has(reason)) return trouble(`The image ${image} cannot be started: ${message || reason}`, isFinal);
  const ended = state?.terminated ?? lastState?.terminated;
  if (ended !== undefined && ended.exitCode !== 0) {
    const why = ended.message?.trim() || ended.reason || 'it says nothing';
    return trouble(`The image ${image} ends with exit code ${ended.exitCode}: ${why}`, isFinal);
  }
  return undefined;
}

function trouble(text: string, isFinal: boolean): Trouble {
  const line = text.replace(/\s+/g, ' ').trim();
  return { text: line.length > MAX_TEXT_LENGTH ? `${line.slice(0, MAX_TEXT_LENGTH)}...` : line, isFinal };
}
