import type { AliasRecord } from '../../store/store.ts';
import { MAX_NAME_LENGTH, formatTime, formatTimeOrNull, parseName, wrongValue } from '../fields.ts';
import { COMMON, integer, text, uuid, type Resource } from './declaration.ts';

export const ALIAS = {
  name: 'function_alias',
  title: 'FunctionAlias',
  listKey: 'function_aliases',
  help: 'A name for a function or one of its versions, which can be moved. A project has one alias at most for each.',
  attributes: {
    ...COMMON,
    name: {
      ...text({
        maxLength: MAX_NAME_LENGTH,
        setOn: 'create',
        isRequired: true,
        help: 'Unique in the project; never changes. It is a part of paths: not empty, without a slash.',
      }),
      parse: parseAliasName,
    },
    function_id: uuid({ setOn: 'both', isRequired: true, help: 'The function.' }),
    function_version: integer({
      setOn: 'both',
      default: 0,
      min: 0,
      help: 'A published version; 0 is the function as it is.',
    }),
    description: text({ maxLength: MAX_NAME_LENGTH, setOn: 'both', isNullable: true, help: 'For people.' }),
  },
} as const satisfies Resource;

/** Clients resolve `.` and `..` in paths, however they are encoded; half a character of UTF-16 cannot be encoded at all. */
const UNREACHABLE = /^\.{0,2}$|\/|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

function parseAliasName(value: unknown, attribute: string): string {
  const name = parseName(value, attribute);
  if (UNREACHABLE.test(name)) throw wrongValue(attribute, name, 'Value should be one part of a path.');
  return name;
}

/** JSON text. */
export function renderAlias(record: AliasRecord): string {
  return JSON.stringify({
    id: record.id,
    name: record.name,
    function_id: record.functionId,
    function_version: record.functionVersion,
    description: record.description,
    project_id: record.projectId,
    created_at: formatTime(record.createdAt),
    updated_at: formatTimeOrNull(record.updatedAt),
  });
}
