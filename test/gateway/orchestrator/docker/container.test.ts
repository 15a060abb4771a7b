import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerName, containerSpec } from '../../../../gateway/orchestrator/docker/container.ts';
import { imageRun } from '../../../support/image-run.ts';

const run = imageRun();

test('the container of an image function is as it was agreed', () => {
  assert.equal(containerName(run.invocationId), 'qinling-01900000-0000-7000-8000-000000000001-2');
  assert.deepEqual(containerSpec(run, { owner: 'o', network: 'bridge' }), {
    Image: 'team/tool:1',
    Cmd: ['one', 'two words'],
    User: '65533:65533',
    Labels: {
      'org.openstack.qinling.gateway': 'o',
      'org.openstack.qinling.invocation': run.invocationId,
      'org.openstack.qinling.function': run.functionId,
      'org.openstack.qinling.timeout-ms': '5500',
    },
    HostConfig: {
      NetworkMode: 'bridge',
      Memory: 67_108_864,
      MemorySwap: 67_108_864,
      NanoCpus: 200_000_000,
      PidsLimit: 128,
      Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 1024 }],
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': 'rw,noexec,nosuid,mode=1777,size=67108864' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '8m', 'max-file': '2' } },
    },
  });
});

test('folders that an image declares as volumes are small and in memory, as /tmp', () => {
  const spec = containerSpec(run, { owner: 'o', network: 'none' }, ['/data', '/var/lib/db']) as {
    HostConfig: { Tmpfs: Record<string, string> };
  };
  const { Tmpfs } = spec.HostConfig;
  assert.deepEqual(Object.keys(Tmpfs), ['/tmp', '/data', '/var/lib/db']);
  assert.equal(new Set(Object.values(Tmpfs)).size, 1);
});

test('without arguments the image says what runs', () => {
  assert.equal('Cmd' in containerSpec({ ...run, args: undefined }, { owner: 'o', network: 'none' }), false);
});
