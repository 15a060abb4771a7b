/**
 * What agents know an invocation by: the id of its execution, and, where an execution may have several attempts, a
 * slash and the attempt's number. An agent that comes back with a result so tells which attempt it belongs to.
 */
const PATTERN = /^(.{36})\/([1-9]\d{0,5})$/;

export function invocationId(executionId: string, attempt: number | undefined): string {
  return attempt === undefined ? executionId : `${executionId}/${attempt}`;
}

/** The parts of an id that an agent sent; what is no id of ours is taken for that of an execution. */
export function parseInvocationId(id: string): { readonly executionId: string; readonly attempt: number } {
  const [, executionId = id, attempt = '1'] = PATTERN.exec(id) ?? [];
  return { executionId, attempt: Number(attempt) };
}
