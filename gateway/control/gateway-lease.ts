import type { Clock } from '../clock.ts';
import type { GatewayRecord, GatewayStore } from '../store/gateway-store.ts';

/** Signs of life in the time after which a gateway counts as gone. */
const SIGNS_IN_LEASE = 5;

export interface GatewayLeaseOptions {
  readonly clock: Clock;
  /** How long a gateway may give no sign of life before the others take it for gone. */
  readonly leaseMs: number;
  /** This gateway's number among all; told again where it is another one, after it was taken for gone. */
  readonly onNumber: (number: number) => void;
  /** Another gateway is gone. It is forgotten once this has resolved, and it is told again where it rejected. */
  readonly onGone: (gatewayId: string) => Promise<void>;
  readonly onFault: (cause: unknown, message: string) => void;
  readonly onWarning: (message: string) => void;
}

interface Watched {
  readonly renewals: number | undefined;
  readonly sinceMs: number;
}

/**
 * Gives signs of life to the gateways that share the store, and watches for theirs. Time is measured by the watcher alone,
 * from one sign to the next: clocks that differ, jump or sleep make nobody look gone.
 */
export class GatewayLease {
  readonly #store: GatewayStore;
  readonly #options: GatewayLeaseOptions;
  readonly #watched = new Map<string, Watched>();
  #number: number | undefined;
  #lastRoundMs = 0;
  #round: Promise<void> | undefined;
  #cancel: (() => void) | undefined;
  #isWatching = false;
  #isClosed = false;

  constructor(store: GatewayStore, options: GatewayLeaseOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Gives the first sign, and then one after the other; resolves once this gateway has its number. */
  async start(): Promise<void> {
    await this.#renew();
    this.#schedule();
  }

  /** Watches the others from now on: this gateway can do what they leave. */
  watch(): void {
    this.#isWatching = true;
  }

  /** Gives no more signs; what this gateway leaves, the others take over when its time is up. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel?.();
    await this.#round;
  }

  #schedule(): void {
    if (this.#isClosed) return;
    const { clock, leaseMs } = this.#options;
    this.#cancel = clock.after(leaseMs / SIGNS_IN_LEASE, () => {
      this.#round = this.#doRound().then(() => this.#schedule());
    });
  }

  async #doRound(): Promise<void> {
    const { clock, leaseMs, onFault } = this.#options;
    try {
      await this.#renew();
      if (!this.#isWatching) return;
      const others = await this.#store.listOthers();
      const nowMs = clock.monotonicMs();
      if (nowMs - this.#lastRoundMs > leaseMs / 2) this.#watched.clear(); // we were asleep ourselves: watch anew
      this.#lastRoundMs = nowMs;
      for (const gone of this.#findGone(others, nowMs)) await this.#bury(gone);
    } catch (cause) {
      onFault(cause, 'the gateways on this database could not be watched');
    }
  }

  async #renew(): Promise<void> {
    const number = await this.#store.renew();
    if (number === this.#number) return;
    if (this.#number !== undefined) {
      this.#options.onWarning('this gateway gave no sign of life for so long that others took it for gone');
    }
    this.#number = number;
    this.#options.onNumber(number);
  }

  #findGone(others: readonly GatewayRecord[], nowMs: number): GatewayRecord[] {
    const ids = new Set(others.map(({ id }) => id));
    for (const id of this.#watched.keys()) if (!ids.has(id)) this.#watched.delete(id);
    return others.filter(({ id, renewals }) => {
      const watched = this.#watched.get(id);
      if (watched !== undefined && watched.renewals === renewals)
        return nowMs - watched.sinceMs >= this.#options.leaseMs;
      this.#watched.set(id, { renewals, sinceMs: nowMs });
      return false;
    });
  }

  async #bury(gone: GatewayRecord): Promise<void> {
    const { onGone, onFault, onWarning } = this.#options;
    try {
      onWarning(`gateway ${gone.id} gives no sign of life: what it left is taken over`);
      await onGone(gone.id);
      await this.#store.remove(gone);
      this.#watched.delete(gone.id);
    } catch (cause) {
      onFault(cause, `what gateway ${gone.id} left could not be taken over`);
    }
  }
}
