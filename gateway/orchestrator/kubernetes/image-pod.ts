import { USER_CODE_UID, type ImageRun } from '../image-runner.ts';
import { Annotation, IMAGE_COMPONENT, IMAGE_CONTAINER, Label, MANAGED_BY } from './names.ts';
import type { PoolOptions } from './pool-deployment.ts';
import { millicores, NO_RIGHTS, restrictedPod, trustAnnotation } from './restrictions.ts';

/** How long a pod may take to run: a node with room, and its image. */
export const START_SECONDS = 300;

export type ImagePodOptions = Pick<
  PoolOptions,
  'namespace' | 'imagePullPolicy' | 'imagePullSecrets' | 'untrustedRuntimeClass' | 'scratchBytes'
>;

export function imagePodName(invocationId: string): string {
  return `image-${invocationId.replace('/', '-')}`;
}

/**
 * The pod of one run of an image function: its own image and arguments, the limits of the function, no rights, no token,
 * and a root file system that cannot be written. Nobody trusts it. It ends by itself where no gateway is there to do it.
 */
export function imagePod(run: ImageRun, options: ImagePodOptions): object {
  const { namespace, imagePullPolicy, scratchBytes } = options;
  const resources = { cpu: millicores(run.cpuMillicores), memory: String(run.memoryBytes) };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: imagePodName(run.invocationId),
      namespace,
      labels: {
        [Label.ManagedBy]: MANAGED_BY,
        [Label.Component]: IMAGE_COMPONENT,
        [Label.Function]: run.functionId,
      },
      annotations: {
        [Annotation.Invocation]: run.invocationId,
        [Annotation.TimeoutMs]: String(run.timeoutMs),
        ...trustAnnotation(false),
      },
    },
    spec: {
      restartPolicy: 'Never',
      activeDeadlineSeconds: START_SECONDS + Math.ceil(run.timeoutMs / 1000),
      terminationGracePeriodSeconds: 0,
      ...restrictedPod(false, options),
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: IMAGE_CONTAINER,
          image: run.image,
          imagePullPolicy,
          ...(run.args === undefined ? {} : { args: run.args }),
          securityContext: { ...NO_RIGHTS, runAsUser: USER_CODE_UID, runAsGroup: USER_CODE_UID },
          resources: { requests: resources, limits: resources },
          volumeMounts: [{ name: 'scratch', mountPath: '/tmp' }],
        },
      ],
      volumes: [{ name: 'scratch', emptyDir: { sizeLimit: String(scratchBytes) } }],
    },
  };
}
