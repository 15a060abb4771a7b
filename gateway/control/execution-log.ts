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
  const printed = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  const cut = log?.isCut === true ? CUT_MARKER : '';
  const finished = log === null || log.isFinished ? `Finished execution: ${id}\n` : '';
  return `Start execution: ${id}\n${printed}${cut}${finished}`;
}
