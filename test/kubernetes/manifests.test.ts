import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeInstallation } from '../support/installation.ts';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const FOLDERS = ['.', 'minimal', 'daemonset', 'tls', 'agent-daemonset'];

interface Rule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
}

interface RulesReview {
  readonly status: { readonly resourceRules: readonly Rule[] };
}

describeInstallation(
  'the manifests for Kubernetes',
  { overlays: ['minimal'] },
  async () => undefined,
  (cluster, claim) => {
    /** `verb group/resource` of every right that an account has, without those that everybody has. */
    const rightsOf = async (account: string): Promise<string[]> => {
      const user = `system:serviceaccount:${cluster.namespace}:${account}`;
      const review = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectRulesReview',
        spec: { namespace: cluster.namespace },
      };
      const file = join(PROJECT, 'build', 'test-manifests', `${cluster.namespace}-review.json`);
      writeFileSync(file, JSON.stringify(review));
      const groups = ['--as-group=system:serviceaccounts', '--as-group=system:authenticated'];
      const answer = await cluster.kubectl(
        'create',
        '-f',
        file,
        `--as=${user}`,
        ...groups,
        '--validate=false',
        '-o',
        'json',
      );
      rmSync(file);
      const { resourceRules } = (JSON.parse(answer) as RulesReview).status;
      return resourceRules
        .filter(({ apiGroups = [] }) => !apiGroups.includes('authorization.k8s.io'))
        .filter(({ resources = [] }) => !resources.includes('selfsubjectreviews'))
        .flatMap(({ verbs, apiGroups = [], resources = [] }) =>
          verbs.flatMap((verb) => resources.map((resource) => `${verb} ${apiGroups.join()}/${resource}`)),
        )
        .sort();
    };

    claim('give the gateway the rights that it uses and no other', async () => {
      assert.deepEqual(await rightsOf('qinling-gateway'), [
        'create /pods',
        'create apps/deployments',
        'create authentication.k8s.io/tokenreviews',
        'create networking.k8s.io/networkpolicies',
        'delete /pods',
        'delete apps/deployments',
        'deletecollection /pods',
        'get /pods',
        'get /pods/log',
        'get apps/deployments',
        'list /pods',
        'list apps/deployments',
        'patch /pods',
        'patch /pods/resize',
        'patch apps/deployments',
        'patch networking.k8s.io/networkpolicies',
        'watch /pods',
      ]);
    });

    claim('give workers no right at all', async () => {
      assert.deepEqual(await rightsOf('qinling-worker'), []);
    });

    claim('hold nothing that the server does not know', async () => {
      for (const folder of FOLDERS) {
        const path = join(PROJECT, 'build', 'test-manifests', `${cluster.namespace}-dry-run`);
        mkdirSync(path, { recursive: true });
        const kustomization = {
          apiVersion: 'kustomize.config.k8s.io/v1beta1',
          kind: 'Kustomization',
          namespace: cluster.namespace,
          resources: [join('../../../manifests/kubernetes', folder)],
        };
        writeFileSync(join(path, 'kustomization.yaml'), JSON.stringify(kustomization));
        await cluster.kubectl('apply', '--dry-run=server', '--validate=strict', '-k', path);
        rmSync(path, { recursive: true });
      }
    });
  },
);
