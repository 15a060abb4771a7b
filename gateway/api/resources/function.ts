import type { FunctionRecord } from '../../store/store.ts';
import { MAX_ENTRY_LENGTH, MAX_NAME_LENGTH, formatTime, formatTimeOrNull } from '../fields.ts';
import { pythonJson } from '../python-json.ts';
import { RETRY_SCHEMA, parseRetry, renderRetry } from '../retry.ts';
import { COMMON, file, integer, json, limit, text, uuid, type Resource } from './declaration.ts';

const CODE = {
  type: 'object',
  required: ['source'],
  properties: {
    source: { enum: ['package', 'swift', 'image'] },
    md5sum: { type: 'string', description: 'MD5 of the package, hex.' },
  },
  additionalProperties: true, // what callers add is kept
};

export const FUNCTION = {
  name: 'function',
  title: 'Function',
  listKey: 'functions',
  help: "A user's code with its limits and entry.",
  isLenient: true,
  attributes: {
    ...COMMON,
    name: text({ maxLength: MAX_NAME_LENGTH, setOn: 'both', isNullable: true, help: 'For people; not unique.' }),
    description: text({ maxLength: MAX_NAME_LENGTH, setOn: 'both', isNullable: true, help: 'For people.' }),
    runtime_id: uuid({ setOn: 'create', isNullable: true, help: 'What runs it; required, and available.' }),
    code: json(
      CODE,
      {
        setOn: 'both',
        isRequired: true,
        help: 'Where the code is, as a JSON object or its text: `{"source": "package"}`, with `md5sum` if it is to be checked.',
      },
      { type: ['object', 'string'] },
    ),
    package: file('application/zip', { setOn: 'both', help: 'The zip: a file part of a multipart form.' }),
    md5sum: text({
      maxLength: MAX_NAME_LENGTH,
      setOn: 'both',
      isWriteOnly: true,
      help: 'MD5 of the package, hex; checked.',
    }),
    entry: text({
      maxLength: MAX_ENTRY_LENGTH,
      setOn: 'both',
      isNullable: true,
      default: 'main.main',
      help: '`module.function` inside of the package.',
    }),
    cpu: limit('cpu', { setOn: 'both', help: 'Limit in thousandths of a processor.' }),
    memory_size: limit('memory', { setOn: 'both', help: 'Limit in bytes.' }),
    timeout: limit('timeout', { setOn: 'both', help: 'Limit in seconds.' }),
    retry: {
      ...json(RETRY_SCHEMA, {
        setOn: 'both',
        isOptional: true,
        help: 'Has asynchronous executions that end `failed` or `error` run again, as a JSON object or its text; `{}`: not.',
      }),
      parse: parseRetry,
    },
    count: integer({ help: 'Executions of the function as it is now (version 0).' }),
    latest_version: integer({ help: 'The highest version number that was published.' }),
  },
  inLists: { code: text({ help: 'The same as JSON text.' }) },
} as const satisfies Resource;

function renderFields(record: FunctionRecord, code: unknown): object {
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    cpu: record.cpuMillicores,
    memory_size: record.memoryBytes,
    timeout: record.timeoutSeconds,
    runtime_id: record.runtimeId,
    code,
    entry: record.entry,
    ...(record.retry === null ? undefined : { retry: renderRetry(record.retry) }),
    count: record.count,
    latest_version: record.latestVersion,
    project_id: record.projectId,
    created_at: formatTime(record.createdAt),
    updated_at: formatTimeOrNull(record.updatedAt),
  };
}

export function renderFunction(record: FunctionRecord): object {
  return renderFields(record, record.code);
}

/** In lists `code` is text that holds JSON, as clients of the original expect. */
export function renderFunctionListItem(record: FunctionRecord): string {
  return JSON.stringify(renderFields(record, pythonJson(record.code)));
}
