import assert from 'node:assert/strict';
import type { Access } from '../../gateway/auth/access.ts';
import type { Executions, NewExecution } from '../../gateway/control/executions.ts';
import type { OnDone } from '../../gateway/control/finished-call.ts';
import { QinlingError } from '../../gateway/errors.ts';
import { executionRecord } from './store-records.ts';

/** Accepts every run, or refuses it as the test says; writes records as whoever asks wants them written. */
export class FakeExecutions implements Pick<Executions, 'create'> {
  /** What was asked for, in its order. */
  readonly asked: { access: Access; request: NewExecution }[] = [];
  /** Why runs of a function are refused, by its id. */
  readonly refusals = new Map<string, QinlingError>();

  /** The one thing that was asked for. */
  get only(): { access: Access; request: NewExecution } {
    assert.equal(this.asked.length, 1);
    return this.asked[0]!;
  }

  create(access: Access, request: NewExecution, onDone: OnDone): void {
    this.asked.push({ access, request });
    const functionId = request.functionId ?? 'of an alias';
    const refusal = this.refusals.get(request.functionAlias ?? functionId);
    if (refusal !== undefined) return onDone(refusal, undefined);
    const { description, input, functionVersion } = request;
    const { projectId } = access;
    const record = executionRecord({ projectId, functionId, functionVersion, description, input, isSync: false });
    const written = request.write?.(record) ?? Promise.resolve(true);
    written.then(
      (isWritten) => {
        if (isWritten) onDone(undefined, { record });
        else onDone(new QinlingError('CONFLICT', 'not accepted'), undefined);
      },
      (cause: unknown) => onDone(new QinlingError('UNAVAILABLE', 'not recorded', { cause }), undefined),
    );
  }
}
