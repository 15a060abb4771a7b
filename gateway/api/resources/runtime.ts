import type { RuntimeRecord } from '../../store/store.ts';
import { MAX_NAME_LENGTH, formatTime, formatTimeOrNull } from '../fields.ts';
import { COMMON, boolean, choice, json, text, type Resource } from './declaration.ts';

const name = { maxLength: MAX_NAME_LENGTH, setOn: 'both', isNullable: true } as const;

export const RUNTIME = {
  name: 'runtime',
  title: 'Runtime',
  listKey: 'runtimes',
  help: 'A language image offered to users, with a pool of workers behind it.',
  attributes: {
    ...COMMON,
    name: text({ ...name, help: 'For people; several runtimes may have the same.' }),
    image: text({
      maxLength: MAX_NAME_LENGTH,
      setOn: 'both',
      isRequired: true,
      help: 'The image of its workers. Another one is rolled out in the background, and rolled back where it fails.',
    }),
    description: text({ ...name, help: 'For people.' }),
    is_public: boolean({ setOn: 'create', default: true, help: 'Visible and usable in every project.' }),
    trusted: boolean({
      setOn: 'create',
      default: true,
      help: 'False: its workers get a stronger sandbox, where there is one.',
    }),
    status: choice(['creating', 'available', 'upgrading', 'error', 'deleting'], {
      help: 'Functions can be created and run while it is `available`.',
    }),
    status_reason: text({ maxLength: 1_000, isOptional: true, help: 'Why the last change of the pool failed.' }),
  },
} as const satisfies Resource;

export const POOL: Resource = {
  name: 'pool',
  title: 'RuntimePool',
  listKey: 'pools',
  help: 'The workers of a runtime.',
  attributes: {
    name: text({ maxLength: 36, help: 'The id of the runtime.' }),
    capacity: json(
      {
        type: 'object',
        required: ['total', 'available'],
        properties: { total: { type: 'integer' }, available: { type: 'integer' } },
      },
      { help: 'How many workers there are, and how many of them are not bound to a function.' },
    ),
  },
};

export function renderRuntime(record: RuntimeRecord): object {
  return {
    id: record.id,
    name: record.name,
    image: record.image,
    description: record.description,
    is_public: record.isPublic,
    trusted: record.isTrusted,
    status: record.status,
    ...(record.statusReason === null ? undefined : { status_reason: record.statusReason }),
    project_id: record.projectId,
    created_at: formatTime(record.createdAt),
    updated_at: formatTimeOrNull(record.updatedAt),
  };
}
