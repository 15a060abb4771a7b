import { ExecutionStatus, type ExecutionLog, type ExecutionRecord } from '../store/store.ts';

const CUT_MARKER = '[log cut: only the first 65536 bytes are kept]\n';

/**
 * The text of an execution's log. The lines around it keep clients that take a log for JSON from doing so; the last
 * one is missing when the function was killed. Empty while nothing is known.
 */
export function renderLog(record: ExecutionRecord, log: ExecutionLog | null): string {
  const { id, status } = record;
  if (log === null && (status === ExecutionStatus.Running || status === ExecutionStatus.Error)) return '';
  const text = log === null ? '' : Buffer.from(log.text).toString('utf8');
  return firstLine(id) + text + lastLines(id, status, log, text === '' || text.endsWith('\n'));
}

export function firstLine(executionId: string): string {
  return `Start execution: ${executionId}\n`;
}

/** What follows the printed text. `isAtLineStart`: that text is empty or ends its last line. */
export function lastLines(
  executionId: string,
  status: ExecutionStatus,
  log: ExecutionLog | null,
  isAtLineStart: boolean,
): string {
  const lineEnd = isAtLineStart ? '' : '\n';
  const cut = log?.isCut === true ? CUT_MARKER : '';
  const isFinished = log === null ? status !== ExecutionStatus.Error : log.isFinished;
  return `${lineEnd}${cut}${isFinished ? `Finished execution: ${executionId}\n` : ''}`;
}
