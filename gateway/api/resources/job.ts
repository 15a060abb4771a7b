import { invalidInput } from '../../errors.ts';
import { JobStatus, type JobRecord } from '../../store/job-store.ts';
import { parseDateText } from '../date-text.ts';
import { MAX_NAME_LENGTH, formatTime, formatTimeOrNull, parseText, wrongValue } from '../fields.ts';
import { parseInput, renderInput } from '../input.ts';
import { COMMON, choice, integer, json, text, time, uuid, type Resource } from './declaration.ts';

const STATUSES = Object.values(JobStatus);
const name = { maxLength: MAX_NAME_LENGTH, isNullable: true } as const;

export const JOB = {
  name: 'job',
  title: 'Job',
  listKey: 'jobs',
  help: 'Runs a function at one time, or at every match of a cron pattern. All times are UTC.',
  attributes: {
    ...COMMON,
    name: text({ ...name, setOn: 'both', help: 'For people; not unique.' }),
    function_id: uuid({
      setOn: 'create',
      isNullable: true,
      help: 'The function; this or `function_alias` is required.',
    }),
    function_alias: text({
      ...name,
      setOn: 'create',
      help: 'The name of an alias, looked up at each run; goes before `function_id`.',
    }),
    function_version: integer({
      setOn: 'create',
      default: 0,
      min: 0,
      help: 'A published version; 0 is the function as it is at the run.',
    }),
    function_input: {
      ...json(
        { type: 'string' },
        {
          setOn: 'both',
          isNullable: true,
          help: 'The input of each execution: any text, or a JSON object; anything else counts as its JSON text.',
        },
        {},
      ),
      parse: parseInput,
    },
    status: {
      ...choice(STATUSES, {
        setOn: 'change',
        help: '`running`, `paused` and `cancelled` may be set while it is neither done nor cancelled.',
      }),
      parse: parseStatus,
    },
    pattern: text({
      ...name,
      setOn: 'both',
      help: 'Cron: minute, hour, day, month, weekday, and perhaps second; or `@hourly` and its like. None: it runs once.',
    }),
    count: integer({
      setOn: 'create',
      isNullable: true,
      min: 0,
      help: 'Runs that are left; null: no end, with a pattern only.',
    }),
    first_execution_time: {
      ...time({ setOn: 'create', help: 'The first run, or with a pattern the time from which it counts.' }),
      parse: parseTime,
    },
    next_execution_time: {
      ...time({ setOn: 'change', help: 'The next run; the last one once it is finished.' }),
      parse: parseTime,
    },
  },
} as const satisfies Resource;

export function renderJob(record: JobRecord): object {
  return {
    id: record.id,
    name: record.name,
    function_id: record.functionId,
    function_alias: record.functionAlias,
    function_version: record.functionVersion,
    function_input: renderInput(record.functionInput),
    status: record.status,
    pattern: record.pattern,
    count: record.count,
    first_execution_time: formatTime(record.firstExecutionAt),
    next_execution_time: formatTime(record.nextExecutionAt),
    project_id: record.projectId,
    created_at: formatTime(record.createdAt),
    updated_at: formatTimeOrNull(record.updatedAt),
  };
}

function parseStatus(value: unknown, attribute: string): string {
  const status = parseText(value, attribute, MAX_NAME_LENGTH);
  if (!STATUSES.includes(status as JobStatus)) throw invalidInput('Invalid status.');
  return status;
}

function parseTime(value: unknown, attribute: string): number {
  const timeMs = typeof value === 'string' ? parseDateText(value) : undefined;
  if (timeMs !== undefined) return timeMs;
  throw wrongValue(
    attribute,
    value,
    'Value should be a time such as 2030-01-31 18:00:00 (UTC) or 2030-01-31T18:00:00+02:00.',
  );
}
