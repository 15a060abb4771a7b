import { IMAGE_UID, type ImageRun } from '../image-runner.ts';
import { Annotation, IMAGE_COMPONENT, IMAGE_CONTAINER, Label, MANAGED_BY } from './names.ts';
import type { PoolOptions } from './pool-deployment.ts';

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
  const { namespace, imagePullPolicy, imagePullSecrets, untrustedRuntimeClass, scratchBytes } = options;
  const resources = { cpu: `${run.cpuMillicores}m`, memory: String(run.memoryBytes) };
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
        'io.kubernetes.cri-o.TrustedSandbox': 'false',
      },
    },
    spec: {
      restartPolicy: 'Never',
      activeDeadlineSeconds: START_SECONDS + Math.ceil(run.timeoutMs / 1000),
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...(untrustedRuntimeClass === '' ? {} : { runtimeClassName: untrustedRuntimeClass }),
      ...(imagePullSecrets.length === 0 ? {} : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: IMAGE_CONTAINER,
          image: run.image,
          imagePullPolicy,
          ...(run.args === undefined ? {} : { args: run.args }),
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
            runAsUser: IMAGE_UID,
            runAsGroup: IMAGE_UID,
          },
          resources: { requests: resources, limits: resources },
          volumeMounts: [{ name: 'scratch', mountPath: '/tmp' }],
        },
      ],
      volumes: [{ name: 'scratch', emptyDir: { sizeLimit: String(scratchBytes) } }],
    },
  };
}
