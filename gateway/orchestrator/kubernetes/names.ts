/** Names that the objects of a cluster carry. They are part of what operators rely on: select by them, never rename. */

/** Who sets the fields of our objects. */
export const FIELD_MANAGER = 'qinling-gateway';

export const Label = {
  ManagedBy: 'app.kubernetes.io/managed-by',
  /** `worker` for the pods of pools, bound or not; the agents of the DaemonSet have another one. */
  Component: 'app.kubernetes.io/component',
  /** The runtime's id. */
  Runtime: 'qinling.openstack.org/runtime',
  /** PodState; the Deployment selects `free` ones, so that a pod leaves it when it is taken. */
  State: 'qinling.openstack.org/state',
  /** The function's id, on pods that are taken. */
  Function: 'qinling.openstack.org/function',
} as const;

export const Annotation = {
  /** On a Deployment: when the cluster was last asked to try again to make its pods. */
  TriedAt: 'qinling.openstack.org/tried-at',
} as const;

export const MANAGED_BY = 'qinling';
export const WORKER_COMPONENT = 'worker';

export const PodState = { Free: 'free', Taken: 'taken' } as const;

/** In the gateway's own pod, as in manifests/kubernetes. */
export const GATEWAY_CONTAINER = 'gateway';
export const AGENT_CONTAINER = 'agent';
export const RUNTIME_CONTAINER = 'runtime';

/** Of a runtime's Deployment. */
export function deploymentName(runtimeId: string): string {
  return `runtime-${runtimeId}`;
}

/** Selects all pods of all pools. */
export const WORKER_SELECTOR = `${Label.ManagedBy}=${MANAGED_BY},${Label.Component}=${WORKER_COMPONENT}`;
