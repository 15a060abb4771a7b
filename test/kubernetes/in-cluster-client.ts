import { writeFileSync } from 'node:fs';
import { mock } from 'node:test';
import { KubernetesClient } from '../../gateway/orchestrator/kubernetes/client.ts';

/**
 * A program that finds the API server as a pod does, and says who it is: with the token that it finds, and a minute later
 * with another one, as the kubelet renews it on disk.
 */
const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';
/** As often as client-go, and so the package that we use, looks at the file. */
const LOOKS_AFTER_MS = 61_000;

interface SelfSubjectReview {
  readonly status: { readonly userInfo: { readonly username: string } };
}

const client = new KubernetesClient({ host: '', caFile: '', certFile: '', keyFile: '' });

async function printName(): Promise<void> {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const { status } = await client.create<SelfSubjectReview>(path, review);
  process.stdout.write(`${status.userInfo.username}\n`);
}

await printName();
writeFileSync(TOKEN, process.env['SECOND_TOKEN'] ?? '');
await printName(); // the first one still
mock.timers.enable({ apis: ['Date'], now: Date.now() + LOOKS_AFTER_MS });
await printName();
