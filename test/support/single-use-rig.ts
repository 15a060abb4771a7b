import type { TestContext } from 'node:test';
import type { CallEnd } from '../../gateway/invoke/call.ts';
import { Invoker } from '../../gateway/invoke/invoker.ts';
import type { Target } from '../../gateway/invoke/target.ts';
import type { AgentIdentity } from '../../gateway/link/agent-identity.ts';
import { LinkSet } from '../../gateway/link/link-set.ts';
import type { PendingCall } from '../../gateway/link/pending-table.ts';
import type { Hello } from '../../protocol/message.ts';
import { FakeAgent } from './fake-agent.ts';

export const POOL = 'python3';
const SINGLE_USE: AgentIdentity = { agentName: undefined, mayServe: () => true, isSingleUse: true };

export function target(functionId: string): Target {
  return {
    key: `${functionId}/0`,
    functionId,
    version: 0,
    projectId: 'p',
    runtimeId: 'r',
    poolName: POOL,
    packageDigest: 'd'.repeat(64),
    entry: 'main.main',
    cpuMillicores: 100,
    memoryBytes: 1,
    timeoutMs: 1000,
    image: null,
    retry: null,
  };
}

/** Workers that serve one target each, as fake agents; what their maker is told of them is in `events`. */
export function openSingleUse(t: TestContext, findTarget?: (key: string) => Promise<Target | undefined>) {
  const events: string[] = [];
  const links = new LinkSet({ maxOutputBytes: 1000, concurrency: 1 });
  links.watchWorkers({
    onTaken: (name, { targetKey }) => events.push(`${name} takes ${targetKey}`),
    onUsedUp: (name) => events.push(`${name} is used up`),
  });
  const adopted: string[] = [];
  const adoptCall = (executionId: string): PendingCall => {
    adopted.push(executionId);
    return {
      executionId,
      expiresAtMs: Infinity,
      onResult: () => undefined,
      onNotReceived: () => undefined,
      onLost: () => undefined,
    };
  };
  const invoker = new Invoker(links, {
    concurrency: 1,
    maxWaitingCalls: 100,
    idleMs: 60_000,
    adoptCall,
    ...(findTarget === undefined ? {} : { findTarget }),
    onWarning: () => undefined,
  });
  t.after(() => {
    invoker.close();
    links.close();
  });
  const connect = (agentName: string, hello: Partial<Hello> = {}) =>
    new FakeAgent(links, { agentName, workerCount: 1, ...hello }, SINGLE_USE).connect();
  const invoke = (functionId: string, deadlineMs = performance.now() + 60_000) => {
    const ends: CallEnd[] = [];
    const input = Buffer.from('{}');
    invoker.invoke({
      executionId: functionId,
      target: target(functionId),
      input,
      deadlineMs,
      prepare: undefined,
      onEnd: (_call, end) => ends.push(end),
    });
    return ends;
  };
  return { links, invoker, events, adopted, connect, invoke };
}
