import { Outcome, type Result } from '../../protocol/message.ts';
import { ExecutionStatus, type ExecutionLog, type ExecutionOutcome } from '../store/store.ts';
import type { CallEnd, ProgramExit } from '../invoke/call.ts';

/** Texts of failures, as clients of the original know them (its tests look for them). JSON text each. */
const TIMEOUT = '"Function execution timeout."';
const RESOURCES = '"Function execution failed because of too much resource consumption"';
const NO_RESULT = '"Function process ended before it returned a result."';
const FAILED = '"Function execution failed."';

/** The record's end of a call, or undefined for one that was withdrawn. `timeoutSeconds`: the function's limit. */
export function toExecutionOutcome(end: CallEnd, timeoutSeconds: number): ExecutionOutcome | undefined {
  switch (end.kind) {
    case 'outcome':
      return ofResult(end.result, end.isLoaded, timeoutSeconds);
    case 'lost':
    case 'refused':
      return lostOutcome();
    case 'withdrawn':
      return undefined;
    case 'failed':
      return { ...lostOutcome(), log: { text: Buffer.from(`${end.reason}\n`), isCut: false, isFinished: false } };
    case 'exited':
      return exitOutcome(end.exit, timeoutSeconds);
  }
}

/** A program has no output but its log; its time is told in whole seconds. */
export function exitOutcome(exit: ProgramExit, timeoutSeconds = 0): ExecutionOutcome {
  const { exitCode, durationMs, log: text, isLogCut } = exit;
  const seconds = Math.round(durationMs / 1000);
  const log: ExecutionLog = { text, isCut: isLogCut, isFinished: exitCode !== undefined };
  if (exitCode === 0) return { status: ExecutionStatus.Success, output: null, durationSeconds: seconds, log };
  if (exitCode !== undefined) {
    return { status: ExecutionStatus.Failed, output: RESOURCES, durationSeconds: seconds, log };
  }
  const durationSeconds = Math.max(seconds, timeoutSeconds);
  return { status: ExecutionStatus.Failed, output: TIMEOUT, durationSeconds, log };
}

/** The end of an execution that may have run, but whose worker or link is gone. */
export function lostOutcome(): ExecutionOutcome {
  return { status: ExecutionStatus.Error, output: FAILED, durationSeconds: null, log: null };
}

type ResultFields = Omit<Result, 'kind' | 'slot'>;

function ofResult(result: ResultFields, isLoaded: boolean, timeoutSeconds: number): ExecutionOutcome {
  const seconds = Math.round(result.durationMicros / 1000) / 1000;
  const durationSeconds = isLoaded ? seconds : null;
  switch (result.outcome) {
    case Outcome.Returned:
      return {
        status: ExecutionStatus.Success,
        output: toText(result.output),
        durationSeconds,
        log: toLog(result, true),
      };
    case Outcome.Failed:
      return {
        status: ExecutionStatus.Failed,
        output: toText(result.output),
        durationSeconds,
        log: toLog(result, true),
      };
    case Outcome.TimedOut: {
      const log = toLog(result, false);
      return {
        status: ExecutionStatus.Failed,
        output: TIMEOUT,
        durationSeconds: Math.max(seconds, timeoutSeconds),
        log,
      };
    }
    case Outcome.Killed:
      return { status: ExecutionStatus.Failed, output: RESOURCES, durationSeconds, log: toLog(result, false) };
    case Outcome.Exited:
      return { status: ExecutionStatus.Failed, output: NO_RESULT, durationSeconds, log: toLog(result, false) };
    default:
      return lostOutcome();
  }
}

function toText(output: Uint8Array): string {
  return Buffer.from(output.buffer, output.byteOffset, output.byteLength).toString('utf8');
}

function toLog(result: ResultFields, isFinished: boolean): ExecutionLog | null {
  if (result.log.length === 0 && isFinished) return null; // only the two frame lines, which are made when it is read
  return { text: result.log, isCut: result.isLogCut, isFinished };
}
