import type { FunctionWorker } from '../../control/scaling.ts';
import { integer, text, uuid, type Resource } from './declaration.ts';

export const WORKER = {
  name: 'worker',
  title: 'FunctionWorker',
  listKey: 'workers',
  help: "A worker that holds a function's version.",
  attributes: {
    function_id: uuid({ help: 'The function.' }),
    function_version: integer({ help: 'The version that it holds; 0 is the function as it is.' }),
    worker_name: text({ maxLength: 255, help: 'Unique among the workers of all agents.' }),
  },
} as const satisfies Resource;

/** The body of scale_up and scale_down. */
export const SCALE = {
  name: 'scale',
  title: 'Scale',
  listKey: 'scales',
  help: 'How many workers more, or fewer.',
  attributes: { count: integer({ setOn: 'create', isRequired: true, min: 1, help: 'How many.' }) },
} as const satisfies Resource;

export function renderWorker({ functionId, functionVersion, workerName }: FunctionWorker): object {
  return { function_id: functionId, function_version: functionVersion, worker_name: workerName };
}
