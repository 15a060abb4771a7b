import type { FunctionRecord } from '../../store/store.ts';
import { MAX_ENTRY_LENGTH, MAX_NAME_LENGTH, formatTime, formatTimeOrNull } from '../fields.ts';
import { pythonJson } from '../python-json.ts';
import { RETRY_SCHEMA, parseRetry, renderRetry } from '../retry.ts';
import { COMMON, integer, json, text, uuid, type Resource } from './declaration.ts';

const BYTES = { type: 'string', format: 'binary' } as const;
const CODE = {
  type: 'object',
  properties: { source: { enum: ['package', 'swift', 'image'] }, md5sum: { type: 'string' } },
};

export const FUNCTION = {
  name: 'function',
  title: 'Function',
  listKey: 'functions',
  help: "A user's code with its limits and entry. In lists `code` is a string that holds the JSON text.",
  isLenient: true,
  attributes: {
    ...COMMON,
    name: text({ maxLength: MAX_NAME_LENGTH, setOn: 'both', isNullable: true, help: 'For people; not unique.' }),
    description: text({ maxLength: MAX_NAME_LENGTH, setOn: 'both', isNullable: true, help: 'For people.' }),
    runtime_id: uuid({ setOn: 'create', isNullable: true, help: 'What runs it; required, and available.' }),
    code: json(CODE, {
      setOn: 'both',
      help: 'Where the code is, as a JSON object or its text: `{"source": "package"}`, with `md5sum` if it is to be checked.',
    }),
    package: json(BYTES, { setOn: 'both', isOptional: true, help: 'The zip: a file part of a multipart form.' }),
    md5sum: text({
      maxLength: MAX_NAME_LENGTH,
      setOn: 'both',
      isOptional: true,
      help: 'MD5 of the package, hex; checked.',
    }),
    entry: text({
      maxLength: MAX_ENTRY_LENGTH,
      setOn: 'both',
      isNullable: true,
      default: 'main.main',
      help: '`module.function` inside of the package.',
    }),
    cpu: json({ type: 'integer' }, { setOn: 'both', help: 'Limit in thousandths of a processor.' }),
    memory_size: json({ type: 'integer' }, { setOn: 'both', help: 'Limit in bytes.' }),
    timeout: json({ type: 'integer' }, { setOn: 'both', help: 'Limit in seconds.' }),
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
