import type { ImageRun } from '../../gateway/orchestrator/image-runner.ts';

/** The second attempt of an execution of an image function. */
export function imageRun(more: Partial<ImageRun> = {}): ImageRun {
  return {
    invocationId: '01900000-0000-7000-8000-000000000001/2',
    functionId: '0b1d3c8e-0000-4000-8000-000000000002',
    image: 'team/tool:1',
    args: ['one', 'two words'],
    cpuMillicores: 200,
    memoryBytes: 64 * 1024 * 1024,
    timeoutMs: 5_500,
    ...more,
  };
}
