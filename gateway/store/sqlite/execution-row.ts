import { executionId } from '../../execution-id.ts';
import type { Attempts, RetryPolicy } from '../attempts.ts';
import { ExecutionStatus, type ExecutionRecord } from '../store.ts';

/** Statuses by the numbers that rows have for them. */
export const STATUSES: readonly ExecutionStatus[] = [
  ExecutionStatus.Running,
  ExecutionStatus.Success,
  ExecutionStatus.Failed,
  ExecutionStatus.Error,
];
/** A whole row as it is selected: names instead of numbers. */
export interface ExecutionRow {
  key: number;
  tail: string;
  project: string;
  function: string;
  function_version: number;
  function_alias: string | null;
  description: string | null;
  status: number;
  is_sync: number;
  is_started: number;
  input: string | null;
  output: string | null;
  duration: number | null;
  created_at: number;
  updated_at: number | null;
  attempt: number;
  first_attempt: number | null;
  retry: string | null;
  next_attempt_at: number | null;
}

export const COLUMNS = `SELECT key, tail, (SELECT text FROM names WHERE number = project) AS project,
  (SELECT text FROM names WHERE number = function) AS function, function_version, function_alias, description, status,
  is_sync, is_started, input, output, duration, created_at, updated_at, attempt, first_attempt, retry,
  next_attempt_at`;
export const SELECT = `${COLUMNS} FROM executions`;

export function toRecord(row: ExecutionRow): ExecutionRecord {
  return {
    id: executionId(row.key, row.tail),
    projectId: row.project,
    functionId: row.function,
    functionVersion: row.function_version,
    functionAlias: row.function_alias,
    description: row.description,
    status: STATUSES[row.status]!,
    isSync: row.is_sync === 1,
    input: row.input,
    output: row.output,
    durationSeconds: row.duration,
    isStarted: row.is_started === 1,
    attempts: toAttempts(row),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function toAttempts({ attempt, first_attempt: first, retry, next_attempt_at: dueAt }: ExecutionRow): Attempts | null {
  if (first === null) return null;
  return { number: attempt, first, policy: retry === null ? null : (JSON.parse(retry) as RetryPolicy), dueAt };
}
