import { isIPv4 } from 'node:net';
import { IMAGE_COMPONENT, Label, MANAGED_BY, WORKER_COMPONENT } from './names.ts';

export interface WorkerPolicyOptions {
  readonly namespace: string;
  readonly gatewayUrl: string;
  /** Networks that user code may not reach: those of the cluster and of the machines around it. */
  readonly blockedNetworks: readonly string[];
}

const NAME = 'qinling-workers';
const DNS_PORT = 53;
/** Labels of the gateway's own pods, as in manifests/kubernetes. */
const GATEWAY_LABELS = { 'app.kubernetes.io/name': 'qinling', [Label.Component]: 'gateway' };

/**
 * What workers may reach: the gateway, names, and the world outside. No other pod, no API server, no machine of the
 * cluster; and nobody may reach them.
 */
export function workerPolicy({ namespace, gatewayUrl, blockedNetworks }: WorkerPolicyOptions): object {
  const dns = [
    { protocol: 'UDP', port: DNS_PORT },
    { protocol: 'TCP', port: DNS_PORT },
  ];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: NAME, namespace, labels: { [Label.ManagedBy]: MANAGED_BY } },
    spec: {
      podSelector: {
        matchLabels: { [Label.ManagedBy]: MANAGED_BY },
        matchExpressions: [{ key: Label.Component, operator: 'In', values: [WORKER_COMPONENT, IMAGE_COMPONENT] }],
      },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [],
      egress: [
        gatewayRule(new URL(gatewayUrl)),
        { ports: dns },
        { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: [...blockedNetworks] } }] },
      ],
    },
  };
}

/** A gateway outside of the cluster is known by its address. */
function gatewayRule(url: URL): object {
  const port = Number(url.port === '' ? 80 : url.port);
  const peer = isIPv4(url.hostname)
    ? { ipBlock: { cidr: `${url.hostname}/32` } }
    : { podSelector: { matchLabels: GATEWAY_LABELS } };
  return { to: [peer], ports: [{ protocol: 'TCP', port }] };
}
