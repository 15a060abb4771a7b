import type { VersionRecord } from '../../store/store.ts';
import { MAX_NAME_LENGTH, formatTime, formatTimeOrNull } from '../fields.ts';
import { COMMON, integer, text, uuid, type Resource } from './declaration.ts';

export const VERSION = {
  name: 'function_version',
  title: 'FunctionVersion',
  listKey: 'function_versions',
  help: 'A function as it was when it was published: its package, entry and limits. It never changes.',
  attributes: {
    ...COMMON,
    function_id: uuid({ help: 'The function.' }),
    version_number: integer({ min: 1, help: 'Counted from 1 for each function; never used again.' }),
    description: text({ maxLength: MAX_NAME_LENGTH, setOn: 'create', isNullable: true, help: 'For people.' }),
    count: integer({ help: 'Executions of this version.' }),
  },
} as const satisfies Resource;

export function renderVersion(record: VersionRecord): object {
  return {
    id: record.id,
    function_id: record.functionId,
    version_number: record.versionNumber,
    description: record.description,
    count: record.count,
    project_id: record.projectId,
    created_at: formatTime(record.createdAt),
    updated_at: formatTimeOrNull(record.updatedAt),
  };
}
