import { inJsonString, type EscapedText } from '../../http/json-texts.ts';
import type { Attempts } from '../../store/attempts.ts';
import type { ExecutionRecord } from '../../store/store.ts';
import { MAX_NAME_LENGTH, formatTime } from '../fields.ts';
import { parseInput, renderInput } from '../input.ts';
import { COMMON, boolean, choice, integer, json, text, time, type Resource } from './declaration.ts';

const name = { maxLength: MAX_NAME_LENGTH, setOn: 'create', isNullable: true } as const;

export const EXECUTION = {
  name: 'execution',
  title: 'Execution',
  listKey: 'executions',
  help: 'One requested run of a function.',
  attributes: {
    ...COMMON,
    function_id: json(
      { type: 'string', format: 'uuid' },
      { setOn: 'create', help: 'The function; this or `function_alias` is required.' },
    ),
    function_version: integer({
      setOn: 'create',
      default: 0,
      min: 0,
      help: 'A published version; 0 is the function as it is now.',
    }),
    function_alias: text({ ...name, help: 'The name of an alias; goes before `function_id`.' }),
    description: text({ ...name, help: 'For people.' }),
    input: {
      ...json(
        { type: 'string' },
        {
          setOn: 'create',
          isNullable: true,
          help: 'Any text, or a JSON object; anything else counts as its JSON text.',
        },
        {},
      ),
      parse: parseInput,
    },
    sync: boolean({ setOn: 'create', default: true, help: 'False: the answer comes at once, the run later.' }),
    status: choice(['running', 'success', 'failed', 'error'], {
      help: '`failed`: the function raised, took too long or too much. `error`: it could not be run.',
    }),
    result: text({
      isNullable: true,
      help: 'JSON text: `output`, what the function returned or why it failed, and `duration` in seconds.',
    }),
    output: text({
      isNullable: true,
      help: 'JSON text: `result`, the same as `output` in `result`.',
    }),
    attempts: integer({
      isOptional: true,
      help: 'How often it was begun; where its function had `retry` when it was accepted, or it was run again.',
    }),
    next_attempt_at: time({ isOptional: true, help: 'When the next attempt is due, while it waits for that.' }),
  },
} as const satisfies Resource;

/** JSON text of an execution. */
export function renderExecution(record: ExecutionRecord): string {
  return executionTexts(record).join('');
}

/** Hot. The same in parts: what the language host wrote is spliced in unread, inside of JSON strings. */
export function executionTexts(record: ExecutionRecord): (string | EscapedText)[] {
  const { output, durationSeconds, functionAlias, description, updatedAt } = record;
  const start =
    `{"id":"${record.id}","function_id":"${record.functionId}","function_version":${record.functionVersion},` +
    `"function_alias":${jsonOrNull(functionAlias)},"description":${jsonOrNull(description)},` +
    `"status":"${record.status}","sync":${record.isSync},"input":`;
  const shown = renderInput(record.input);
  const [quote, input] = shown === null ? ['', 'null'] : ['"', inJsonString(shown)];
  const end =
    `,"project_id":${JSON.stringify(record.projectId)},"created_at":"${formatTime(record.createdAt)}",` +
    `"updated_at":${updatedAt === null ? 'null' : `"${formatTime(updatedAt)}"`}` +
    (record.attempts === null ? '}' : `${renderAttempts(record, record.attempts)}}`);
  const duration = durationSeconds === null ? '' : `\\"duration\\": ${pythonFloat(durationSeconds)}`;
  if (output === null) {
    const result = duration === '' ? 'null' : `"{${duration}}"`;
    return [start + quote, input, `${quote},"result":${result},"output":null${end}`];
  }
  const escaped = inJsonString(output); // once, for both places
  const afterOutput = duration === '' ? '' : `, ${duration}`;
  return [
    start + quote,
    input,
    `${quote},"result":"{\\"output\\": `,
    escaped,
    `${afterOutput}}","output":"{\\"result\\": `,
    escaped,
    `}"${end}`,
  ];
}

function jsonOrNull(value: string | null): string {
  return value === null ? 'null' : JSON.stringify(value);
}

function renderAttempts({ status, isStarted }: ExecutionRecord, { number, dueAt }: Attempts): string {
  const isBegun = isStarted || status !== 'running';
  const due = dueAt === null ? '' : `,"next_attempt_at":"${formatTime(dueAt)}"`;
  return `,"attempts":${isBegun ? number : number - 1}${due}`;
}

/** A duration as Python prints a float of three decimals. */
function pythonFloat(seconds: number): string {
  const rounded = Math.round(seconds * 1000) / 1000;
  return Number.isInteger(rounded) ? `${rounded}.0` : String(rounded);
}
