import { GatewayLink, GatewayLinkState } from '../agent/gateway-link.ts';
import { Kind, Outcome } from '../protocol/message.ts';
import type { FleetOptions, FleetState } from './fleet.ts';

/** The process behind `Fleet`: gets its options by a message, and tells by messages how many links are up. */
const LOOK_MS = 5;
const DURATION_MICROS = 10;
const EMPTY = new Uint8Array();
const SILENT = { info: () => undefined, warn: () => undefined };

function makeAgent(number: number, { url, token, pool, workersEach, output }: FleetOptions): GatewayLink {
  const bound = new Map<number, string>();
  const result = Buffer.from(output);
  const link: GatewayLink = new GatewayLink(
    { url, token: () => token, agentName: `simulated-${number}`, pools: [pool], workerCount: workersEach, log: SILENT },
    {
      onWelcome: () => undefined,
      onBind: ({ worker, targetKey }) => {
        bound.set(worker, targetKey);
        link.send({ kind: Kind.Bound, worker, targetKey });
      },
      onUnbind: (worker) => {
        bound.delete(worker);
        link.send({ kind: Kind.Unbound, worker });
      },
      onInvoke: ({ slot }) => {
        link.sendResult({
          kind: Kind.Result,
          slot,
          outcome: Outcome.Returned,
          durationMicros: DURATION_MICROS,
          output: result,
          log: EMPTY,
          isLogCut: false,
        });
      },
      onFollow: () => undefined,
      boundTargets: () => [...bound],
    },
  );
  return link;
}

function run(options: FleetOptions): void {
  const links = Array.from({ length: options.agents }, (_, at) => makeAgent(options.firstNumber + at, options));
  for (const link of links) link.connect();
  let told = -1;
  setInterval(() => {
    const ready = links.reduce((count, { state }) => count + (state === GatewayLinkState.Ready ? 1 : 0), 0);
    if (ready === told) return;
    told = ready;
    const state: FleetState = { ready, atMs: Date.now() };
    process.send!(state);
  }, LOOK_MS);
}

process.once('message', run);
process.once('disconnect', () => process.exit());
