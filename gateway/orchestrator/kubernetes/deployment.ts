import type { KubernetesObject } from './client.ts';

/** What we read of a Deployment. */
export interface DeploymentObject extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & { readonly generation?: number };
  readonly spec?: { readonly replicas?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  };
}

/** Why the cluster makes no pods for a Deployment. */
export function whyRefused(status: DeploymentObject['status']): string | undefined {
  const refused = status?.conditions?.find(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True');
  return refused && (refused.message ?? '');
}
