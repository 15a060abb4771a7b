/** What holds for every container that runs code of callers, and for ours beside it. */

/** No rights at all: what Kubernetes calls `restricted`, and a root file system that cannot be written. */
export const NO_RIGHTS = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
} as const;

/** CRI-O chooses the sandbox by it; the Python Qinling set it too. */
export function trustAnnotation(isTrusted: boolean): Record<string, string> {
  return { 'io.kubernetes.cri-o.TrustedSandbox': String(isTrusted) };
}

export interface PodSettings {
  readonly imagePullSecrets: readonly string[];
  /** Of pods that run code which is not trusted; empty: none. */
  readonly untrustedRuntimeClass: string;
}

/** Fields of a pod's spec: no token but where one is mounted, secrets for images, and the sandbox of what is not trusted. */
export function restrictedPod(isTrusted: boolean, { imagePullSecrets, untrustedRuntimeClass }: PodSettings): object {
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(isTrusted || untrustedRuntimeClass === '' ? {} : { runtimeClassName: untrustedRuntimeClass }),
    ...(imagePullSecrets.length === 0 ? {} : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
  };
}

export function millicores(count: number): string {
  return `${count}m`;
}
